"""Directories that appear whole or not at all, each with a manifest of what it was made from."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Sequence, Union

from allennlp.common.checks import ConfigurationError

MANIFEST = "manifest.json"

_PACKAGES = ("cross-task-attribution", "allennlp", "torch", "transformers", "tokenizers", "numpy")


@contextmanager
def new_artefact(
    directory: Union[str, Path],
    command: str,
    inputs: Sequence[Union[str, Path]],
    configuration: Mapping[str, Any],
    force: bool = False,
) -> Iterator[Path]:
    """
    Yields a folder beside `directory` to write the product into. When the block ends without an error the manifest is
    added and the folder takes its name in one step; otherwise nothing is left. With `force`, what is there is replaced,
    once the product is whole.

    # Raises

    `ConfigurationError` if `directory` exists and has something in it, without `force`.
    """
    target = Path(directory)
    if target.exists() and (not target.is_dir() or (any(target.iterdir()) and not force)):
        raise ConfigurationError(f"{target} exists already and is not empty; name another directory, or remove it")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield scratch
        write_manifest(scratch, command, inputs, configuration)
        scratch.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON beside `path` and renames it into place."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def write_manifest(
    directory: Path, command: str, inputs: Sequence[Union[str, Path]], configuration: Mapping[str, Any]
) -> None:
    """What the product in `directory` was made from; a directory is whole when it has one."""
    manifest = {
        "command": command,
        "inputs": [fingerprint(Path(path)) for path in inputs],
        "configuration": configuration,
        "versions": {"python": sys.version.split()[0], **{name: _version(name) for name in _PACKAGES}},
    }
    write_json(directory / MANIFEST, manifest)


def fingerprint(path: Path) -> Dict[str, Any]:
    """`{"path", "bytes", "sha256"}` of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256") if sys.version_info >= (3, 11) else hashlib.sha256(file.read())
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
