"""Directories that appear whole or not at all, each with a manifest of what it was made from."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence, Union

import torch
from allennlp.common.checks import ConfigurationError

MANIFEST = "manifest.json"

PLAN = "plan.json"
_FAILED = "failed"
# What another machine, or this one at another time, might do.
_PASSING = (MemoryError, torch.OutOfMemoryError)
_PASSING_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE)
_PACKAGES = ("cross-task-attribution", "allennlp", "torch", "transformers", "tokenizers", "numpy")

Identity = Dict[str, Any]
"""What a product depends on, as plain JSON: equal identities are equal bytes. Never a batch size or a worker count."""


@contextmanager
def new_artefact(
    directory: Union[str, Path],
    command: str,
    inputs: Sequence[Union[str, Path]],
    configuration: Mapping[str, Any],
    identity: Optional[Identity] = None,
    force: bool = False,
) -> Iterator[Path]:
    """
    Yields a folder beside `directory` to write the product into. When the block ends without an error the manifest is
    added and the folder takes its name in one step. After a `ConfigurationError` nothing is left: its inputs will
    change. What a process of the same `identity` wrote before it was interrupted, killed, out of disk or memory is in
    the folder again, for a writer that can go on from there. So it is after any other error; but that is in the way of
    no other process: one of another identity begins anew.

    # Parameters

    identity : `Dict[str, Any]`, optional (default = the inputs' hashes and the configuration)
    force : `bool`, optional (default = `False`)
        Replace what is there, once the product is whole, and what a process of another identity left.

    # Raises

    `ConfigurationError` if `directory` exists and has something in it, an interrupted process wrote something else
    (both without `force`), or another process is writing it now.
    """
    target = Path(directory).resolve()  # Of a link, what it points to.
    if target.is_mount():
        raise ConfigurationError(f"{target}: is the root of a disk, which cannot be renamed; name a folder in it")
    _finish_replacing(target)
    if target.is_file():
        raise ConfigurationError(f"{target} is a file; name a directory")
    if _occupied(target) and not force:
        raise ConfigurationError(
            f"{target} exists already and is not empty; name another directory, or replace it with --force"
        )
    sources = [fingerprint(Path(path)) for path in inputs]
    plan = _plain(identity if identity is not None else {"inputs": sources, "configuration": configuration})
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = _scratch(target)
    scratch.mkdir(exist_ok=True)
    with alone(scratch, target):
        _begin(scratch, plan, force)
        try:
            yield scratch
            _write_manifest(scratch, command, sources, configuration, plan)
            if _occupied(target) and not force:
                raise ConfigurationError(f"{target}: another process has written it meanwhile")
            _replace(scratch, target)
        except ConfigurationError:
            shutil.rmtree(scratch)
            raise
        except Exception as error:
            _fail(scratch, error)
            if not isinstance(error, OSError):
                raise
            if error.filename is None and error.errno is not None:  # A full disk does not say where it is.
                raise OSError(error.errno, f"{error.strerror}; the same command goes on", str(scratch)) from error
            raise


def is_whole(directory: Union[str, Path], identity: Identity) -> bool:
    """
    Whether the product of this identity is there already.

    # Raises

    `ConfigurationError`, naming the first difference, if something else is there.
    """
    target = Path(directory).resolve()
    _finish_replacing(target)
    if not (target / MANIFEST).is_file():
        return False
    difference = first_difference(read_manifest(target)["identity"], _plain(identity))
    if difference:
        raise ConfigurationError(
            f"{target} was made from something else: {difference}; name another directory, or replace it with --force"
        )
    return True


def read_manifest(directory: Union[str, Path]) -> Dict[str, Any]:
    """
    # Raises

    `ConfigurationError` if there is none: the directory is missing, or not one of ours.
    """
    path = Path(directory) / MANIFEST
    if not path.is_file():
        raise ConfigurationError(f"{directory}: exists already or is missing, and has no {MANIFEST}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: damaged ({error}); make {directory} anew") from error
    if not isinstance(manifest, dict) or "identity" not in manifest:
        raise ConfigurationError(f"{path}: not a manifest of this package's; make {directory} anew")
    return manifest


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


def _occupied(target: Path) -> bool:
    return target.exists() and (not target.is_dir() or any(target.iterdir()))


@contextmanager
def alone(scratch: Path, target: Path) -> Iterator[None]:
    """
    Only one process at a time is in such a block of a folder, `scratch`.

    # Raises

    `ConfigurationError`, naming `target`, if another one is.
    """
    handle = os.open(scratch, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # The kernel gives it back when the process dies.
        yield
    except BlockingIOError:
        raise ConfigurationError(f"{target}: another process is writing it") from None
    finally:
        os.close(handle)


def _replace(scratch: Path, target: Path) -> None:
    old = _replaced(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(scratch, target)
    (target / PLAN).unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


def _finish_replacing(target: Path) -> None:
    """What a process did that was killed between the two renames of `_replace`."""
    scratch, old = _scratch(target), _replaced(target)
    if old.exists() and not target.exists():
        if not (scratch / MANIFEST).is_file():
            os.replace(old, target)
            return
        with alone(scratch, target):
            os.replace(scratch, target)
    if (target / MANIFEST).is_file():
        (target / PLAN).unlink(missing_ok=True)
        shutil.rmtree(old, ignore_errors=True)


def _scratch(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _replaced(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _fail(scratch: Path, error: Exception) -> None:
    """After an error that the next run of the same would meet again: what there is need not be guarded."""
    passing = isinstance(error, _PASSING) or (isinstance(error, OSError) and error.errno in _PASSING_ERRORS)
    if passing or not scratch.is_dir():
        return
    if [path.name for path in scratch.iterdir()] == [PLAN]:
        shutil.rmtree(scratch)
    else:
        (scratch / _FAILED).touch()


def _plain(identity: Identity) -> Identity:
    return json.loads(json.dumps(identity))


def _begin(scratch: Path, plan: Identity, force: bool) -> None:
    left = scratch / PLAN
    failed = (scratch / _FAILED).is_file()
    (scratch / _FAILED).unlink(missing_ok=True)
    if left.is_file():
        (scratch / MANIFEST).unlink(missing_ok=True)
        try:
            started = json.loads(left.read_text(encoding="utf-8"))
            difference = first_difference(started, plan)
        except ValueError as error:
            difference = f"{PLAN} is damaged ({error})"
        if not difference:
            return
        if not force and not failed:
            raise ConfigurationError(
                f"{scratch} is what an interrupted run with other settings left: {difference}; "
                "run that one again to go on with it, or remove it (--force does)"
            )
    for path in scratch.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(left, plan)


def read_json(path: Path, again: str) -> Any:
    """
    # Raises

    `ConfigurationError` if it is missing or damaged, with what to do: `again`.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: missing or damaged ({error}); {again}") from error


def write_json(path: Path, content: Any) -> None:
    """Writes JSON beside `path` and renames it into place."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def _write_manifest(
    directory: Path, command: str, inputs: Sequence[Mapping[str, Any]], configuration: Mapping[str, Any], plan: Identity
) -> None:
    manifest = {
        "command": command,
        "inputs": inputs,
        "configuration": configuration,
        "identity": plan,
        "versions": {"python": sys.version.split()[0], **{name: _version(name) for name in _PACKAGES}},
    }
    write_json(directory / MANIFEST, manifest)


def fingerprint(path: Path) -> Dict[str, Any]:
    """`{"path", "bytes", "sha256"}` of a file."""
    state = path.stat()
    return {"path": str(path), "bytes": state.st_size, "sha256": _sha256(path, state.st_size, state.st_mtime_ns)}


@lru_cache(maxsize=1024)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        if sys.version_info >= (3, 11):
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while block := file.read(1 << 24):
            digest.update(block)
        return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
