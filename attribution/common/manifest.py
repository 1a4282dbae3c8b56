"""What a directory of ours says of itself: what it was made from, and what is in it."""

import hashlib
import json
import os
import sys
from functools import lru_cache
from glob import glob
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, Collection, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.port import writing_beside

MANIFEST = "manifest.json"
INDEX = "index"
"""In the place of a command: what a retriever keeps for itself from one search to the next."""

Identity = Dict[str, Any]
"""What a product depends on, as plain JSON: equal identities are equal bytes. Never a batch size or a worker count."""

_KEYS = {"made_by", "identity", "outputs", "sha256"}
_PACKAGES = ("cross-task-attribution", "allennlp", "torch", "transformers", "tokenizers", "numpy")
_BEGINNING = '{\n  "command": '
_SMALL = 1 << 20
_END = 1 << 12
_DEEPEST = 3
"""So many folders into a product its files lie at most."""


class Damage(NamedTuple):
    """How a file of a product is not what was written."""

    file: str
    """Where it lies in the product."""
    reason: str

    def __str__(self) -> str:
        return f"{self.file} {self.reason}"


def write_manifest(
    directory: Path,
    command: str,
    inputs: Sequence[Mapping[str, Any]],
    configuration: Mapping[str, Any],
    identity: Identity,
    made_by: str = "",
    besides: Iterable[str] = (),
) -> None:
    """
    Of a product that is whole.

    # Parameters

    command : `str`
        That wrote it.
    inputs : `Sequence[Mapping[str, Any]]`
        The `fingerprint` of each.
    made_by : `str`, optional
        What makes it again, as a user would write it, up to the directory.
    besides : `Iterable[str]`, optional
        Names in the directory that are no part of the product.
    """
    left_out = {MANIFEST, *besides}
    content = {
        "command": command,
        "made_by": made_by or f"allennlp {command} ...",
        "inputs": list(inputs),
        "configuration": configuration,
        "identity": identity,
        "versions": {"python": sys.version.split()[0], **{name: _version(name) for name in _PACKAGES}},
        "outputs": written(directory, (name for name in files(directory) if name not in left_out)),
    }
    write_sealed(directory / MANIFEST, content)


def read_manifest(directory: Union[str, Path]) -> Dict[str, Any]:
    """
    # Raises

    `ConfigurationError` if there is none, or it is damaged: the directory is missing, or not one of ours.
    """
    path = Path(directory) / MANIFEST
    if not os.path.lexists(path):
        raise ConfigurationError(f"{directory}: exists already or is missing, and has no {MANIFEST}")
    if not path.is_file():
        raise ConfigurationError(f"{path}: is no file; make {directory} anew")
    manifest = read_json(path, f"make {directory} anew, with the command that wrote it")
    if not isinstance(manifest, dict) or not {"identity", "outputs"} <= manifest.keys():
        raise ConfigurationError(f"{path}: not a manifest of this package's; make {directory} anew")
    if not is_sealed(manifest):
        raise ConfigurationError(f"{path}: damaged, it is not what was written; make {directory} anew, with --force")
    return manifest


def files(directory: Path) -> List[str]:
    """What lies in a directory and its folders, sorted."""
    found = (path for path in directory.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(directory).as_posix() for path in found)


def is_ours(directory: Path) -> bool:
    """Whether it has a manifest of this package's, if perhaps a damaged one."""
    path = directory / MANIFEST
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING.encode()


def written(directory: Path, names: Iterable[str]) -> Dict[str, Any]:
    """What `damage` wants to know of files: `{name: {"bytes", "sha256", "ends"}}`, the last of large ones alone."""
    return {name: _file(directory / name) for name in names}


def damage(
    directory: Path, outputs: Mapping[str, Any], thorough: bool, wholly: Collection[str] = ()
) -> Optional[Damage]:
    """
    The first of a product's files that is not as it was written; none if all are.

    # Parameters

    outputs : `Mapping[str, Any]`
        What a manifest says of the files.
    thorough : `bool`
        Whether to read all of every file. Otherwise of one of a megabyte and more only the size and both ends are
        looked at: where a header or a table of contents is.
    wholly : `Collection[str]`, optional
        Of these files all is read nevertheless.
    """
    for name, written in outputs.items():
        path = directory / name
        if not path.is_file():
            return Damage(name, "is missing")
        size = path.stat().st_size
        if size != written["bytes"]:
            return Damage(name, f"has {size} bytes, {written['bytes']} were written")
        whole = thorough or name in wholly or "ends" not in written
        if (_hash_of(path) if whole else _hash_of_ends(path)) != written["sha256" if whole else "ends"]:
            return Damage(name, "has other content than was written")
    return None


def check_products(paths: Iterable[Path], thorough: bool = False, wholly: Collection[Path] = ()) -> None:
    """
    Of files that are read, or folders with all that is in them, those that commands of ours wrote.

    # Parameters

    thorough, wholly
        As of `damage`.

    # Raises

    `ConfigurationError`, naming the file and what makes it again, if one is not as it was written.
    """
    read: Dict[Path, Dict[str, Path]] = {}
    for path in paths:
        directory = _product_of(path)
        if directory is not None:
            place = path.absolute().relative_to(directory.absolute()).as_posix()
            read.setdefault(directory, {})[place] = path
    for directory, places in read.items():
        manifest = read_manifest(directory)
        if manifest["command"] == INDEX:  # Who uses it looks at all of it, and makes it again.
            continue
        outputs = {
            name: about for name, about in manifest["outputs"].items() if not places.keys().isdisjoint(_in(name))
        }
        found = damage(directory, outputs, thorough, {place for place, path in places.items() if path in wholly})
        if found is not None:
            raise ConfigurationError(
                f"{directory / found.file}: {found.reason}; make it again with: {manifest['made_by']} -s {directory} "
                "(a copy of the file outside of that directory can be used as it is)"
            )


def _in(name: str) -> List[str]:
    """A file, and the folders that it is in."""
    return [name, *(folder.as_posix() for folder in PurePosixPath(name).parents)]


def _product_of(path: Path) -> Optional[Path]:
    """The directory of ours that a file or folder is in, or is; also where its manifest is damaged."""
    for folder in [path, *path.absolute().parents[:_DEEPEST]]:
        if _was_ours(folder):
            return folder
    return None


def _was_ours(directory: Path) -> bool:
    """Whether its manifest begins as ours do, was cut before, or says two things that ours say; others are foreign."""
    path = directory / MANIFEST
    if not path.is_file():
        return False
    with path.open("rb") as file:
        if _BEGINNING.encode().startswith(file.read(len(_BEGINNING))):
            return True
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and len(_KEYS & content.keys()) >= 2


def paths_in(settings: Any) -> Iterator[Path]:
    """What a configuration's texts name, or are patterns of (`zoo/*`), of all that there is."""
    if isinstance(settings, str):
        try:
            there = [settings] if settings and os.path.exists(settings) else sorted(glob(settings))
        except (ValueError, OSError):  # No path has such a character, or is so long.
            there = []
        yield from map(Path, there)
    elif isinstance(settings, (dict, list)):
        for part in settings.values() if isinstance(settings, dict) else settings:
            yield from paths_in(part)


def first_difference(there: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> str:
    """Where two identities differ, in words; empty where they do not."""
    for key in sorted({*there, *wanted}):
        one, other = there.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            inner = first_difference(one, other, f"{prefix}{key}.")
            if inner:
                return inner
        elif one != other:
            return f"{prefix}{key} is {one!r} there and {other!r} here"
    return ""


def read_json(path: Path, again: str) -> Any:
    """
    # Raises

    `ConfigurationError` if it is missing or damaged, with what to do: `again`.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: missing or damaged ({error}); {again}") from error


def write_json(path: Path, content: Any) -> None:
    """
    Writes JSON beside `path` and renames it into place.

    # Raises

    `ConfigurationError` if a number is not finite: JSON has none such.
    """
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ConfigurationError(f"{path}: cannot be written as JSON ({error})") from error
    with writing_beside(path) as beside:
        Path(beside).write_text(text + "\n", encoding="utf-8")


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """`write_json` with a hash of it all."""
    write_json(path, {**content, "sha256": _digest(content)})


def is_sealed(content: Any) -> bool:
    """Whether it is what `write_sealed` wrote; takes the hash out."""
    return isinstance(content, dict) and content.pop("sha256", "") == _digest(content)


def fingerprint(path: Path) -> Dict[str, Any]:
    """`{"path", "bytes", "sha256"}` of a file."""
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": _hash_of(path)}


def _file(path: Path) -> Dict[str, Any]:
    size = path.stat().st_size
    about = {"bytes": size, "sha256": _hash_of(path)}
    return about if size < _SMALL else {**about, "ends": _hash_of_ends(path)}


def _hash_of(path: Path) -> str:
    state = path.stat()
    return _sha256(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1024)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        if sys.version_info >= (3, 11):
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while block := file.read(1 << 24):
            digest.update(block)
        return digest.hexdigest()


def _hash_of_ends(path: Path) -> str:
    with path.open("rb") as file:
        first = file.read(_END)
        file.seek(-_END, os.SEEK_END)
        return hashlib.sha256(first + file.read()).hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
