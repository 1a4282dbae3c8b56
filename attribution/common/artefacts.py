"""Directories that appear whole or not at all, each with a manifest of what it was made from and what is in it."""

import errno
import fcntl
import json
import logging
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import naming_a_full_disk

from attribution.common.manifest import (
    MANIFEST,
    Identity,
    damage,
    files,
    fingerprint,
    first_difference,
    is_ours,
    read_manifest,
    write_json,
    write_manifest,
)

logger = logging.getLogger(__name__)

PLAN = "plan.json"
_FAILED = "failed"
# What another machine, or this one at another time, might do.
_PASSING = (MemoryError, torch.OutOfMemoryError)
_PASSING_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ESTALE)


@contextmanager
def new_artefact(
    directory: Union[str, Path],
    command: str,
    inputs: Sequence[Union[str, Path]],
    configuration: Mapping[str, Any],
    identity: Optional[Identity] = None,
    force: bool = False,
    goes_on: bool = False,
    made_by: str = "",
) -> Iterator[Path]:
    """
    Yields a folder beside `directory` to write the product into. When the block ends without an error the manifest is
    added and the folder takes its name in one step; in the place of the same product, if that was damaged. After a
    failure nothing is left.

    # Parameters

    identity : `Dict[str, Any]`, optional (default = the inputs' hashes and the configuration)
    force : `bool`, optional (default = `False`)
        Replace what is there, once the product is whole, and what a process of another identity left.
    goes_on : `bool`, optional (default = `False`)
        Whether the writer can go on from what is in the folder. What a process of the same identity wrote before it was
        interrupted, killed, or out of disk or memory is then there again. So it is after an error that is not a
        `ConfigurationError`, whose inputs will change; but that is in the way of no process of another identity.
    made_by : `str`, optional
        What makes it again, as a user would write it, up to the directory.

    # Raises

    `ConfigurationError` if `directory` has something in it (with `force` if that is no product of ours, or has other
    things beside it), or holds one of the inputs; if an interrupted process wrote something else (without `force`); or
    if another process is writing it now.
    """
    target = Path(directory).resolve()  # Of a link, what it points to.
    if target.is_mount():
        raise ConfigurationError(f"{target}: is the root of a disk, which cannot be renamed; name a folder in it")
    check_outside(target, inputs)
    _finish_replacing(target)
    sources = [fingerprint(Path(path)) for path in inputs]
    plan = _plain(identity if identity is not None else {"inputs": sources, "configuration": configuration})
    _check_vacant(target, plan, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = _scratch(target)
    _check_name(scratch, (scratch / PLAN).is_file())
    scratch.mkdir(exist_ok=True)
    with alone(scratch, target):
        _begin(scratch, plan, force, goes_on)
        try:
            with naming_a_full_disk(scratch):
                yield scratch
                write_manifest(scratch, command, sources, configuration, plan, made_by, besides=(PLAN,))
                _check_vacant(target, plan, force)
                _replace(scratch, target)
        except BaseException as error:
            _leave(scratch, error, goes_on)
            if goes_on and isinstance(error, OSError) and error.errno is not None and error.filename in (None, scratch):
                raise OSError(error.errno, f"{error.strerror}; the same command goes on", str(scratch)) from error
            raise


def is_whole(directory: Union[str, Path], identity: Identity) -> bool:
    """
    Whether the product of this identity is there already, each of its files as it was written. If one is not, that is
    said, and `new_artefact` will replace it.

    # Raises

    `ConfigurationError`, naming the first difference, if something else is there.
    """
    target = Path(directory).resolve()
    _finish_replacing(target)
    if not (target / MANIFEST).is_file():
        return False
    manifest = read_manifest(target)
    names = [file["path"] for file in manifest["inputs"]]
    difference = first_difference(_with_names(manifest["identity"], names), _with_names(_plain(identity), names))
    if difference:
        raise ConfigurationError(
            f"{target} was made from something else: {difference}; name another directory, or replace it with --force"
        )
    found = damage(target, manifest["outputs"], thorough=True)
    if found is not None:
        logger.warning("%s: %s; it is made again", target, found)
    return found is None


def _with_names(identity: Identity, names: Sequence[str]) -> Identity:
    """Where it has the hashes of so many inputs, they are under their names."""
    hashes = identity.get("inputs")
    if isinstance(hashes, list) and len(hashes) == len(names):
        return {**identity, "inputs": dict(zip(names, hashes))}
    return identity


def check_outside(directory: Path, inputs: Iterable[Union[str, Path]]) -> None:
    """
    # Raises

    `ConfigurationError` if one of the inputs is, or lies in, the directory that is to be made of them.
    """
    target = directory.resolve()
    for path in inputs:
        there = Path(path).resolve()
        if there == target or target in there.parents:
            raise ConfigurationError(f"{directory}: holds {path}, which it is to be made from; name another directory")


def _check_vacant(target: Path, plan: Identity, force: bool) -> None:
    """Nothing of value may be there."""
    if target.is_file():
        raise ConfigurationError(f"{target} is a file; name a directory")
    if not target.exists() or not any(target.iterdir()):
        return
    if not is_ours(target):
        some = ", ".join(sorted(path.name for path in target.iterdir())[:3])
        raise ConfigurationError(
            f"{target} exists already and is not empty ({some}); it is no product of this package, which --force would "
            "replace: name another directory"
        )
    try:
        manifest = read_manifest(target)
    except ConfigurationError:
        if not force:
            raise
        return
    if not force and (manifest["identity"] != plan or damage(target, manifest["outputs"], thorough=True) is None):
        raise ConfigurationError(
            f"{target} exists already and is not empty; name another directory, or replace it with --force"
        )
    others = sorted({*files(target)} - {*manifest["outputs"], MANIFEST, PLAN})
    if others:
        raise ConfigurationError(
            f"{target} is to be replaced, and {others[0]} is no part of it; move that elsewhere, or name another "
            "directory"
        )


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
        if not scratch.exists() or not os.path.samestat(os.fstat(handle), scratch.stat()):
            raise BlockingIOError
        yield
    except BlockingIOError:
        raise ConfigurationError(f"{target}: another process is writing it") from None
    finally:
        os.close(handle)


def _replace(scratch: Path, target: Path) -> None:
    old = _replaced(target)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(scratch, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    (target / PLAN).unlink(missing_ok=True)
    if old.exists():
        _remove(old, MANIFEST)


def _finish_replacing(target: Path) -> None:
    """What a process did that was killed between the two renames of `_replace`."""
    scratch, old = _scratch(target), _replaced(target)
    _check_name(old, is_ours(old))
    if old.exists() and (not target.exists() or _is_empty(target)):
        if not (scratch / MANIFEST).is_file():
            os.replace(old, target)
            return
        with alone(scratch, target):
            os.replace(scratch, target)
    if (target / MANIFEST).is_file():
        (target / PLAN).unlink(missing_ok=True)
        if old.exists():
            _remove(old, MANIFEST)


def _scratch(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _replaced(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _check_name(folder: Path, ours: bool) -> None:
    """A folder that is to be used and removed."""
    if os.path.lexists(folder) and (folder.is_symlink() or not (ours or _is_empty(folder))):
        raise ConfigurationError(f"{folder}: this name is needed here, and has something else; move that away")


def _is_empty(folder: Path) -> bool:
    """Or all but, if the plan was being written."""
    return folder.is_dir() and all(path.name in (f"{PLAN}.part", _FAILED) for path in folder.iterdir())


def _remove(folder: Path, mark: str) -> None:
    """All of it, the file that shows whose it is last."""
    for path in folder.iterdir():
        if path.name != mark:
            _discard(path)
    (folder / mark).unlink(missing_ok=True)
    folder.rmdir()


def _discard(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _leave(scratch: Path, error: BaseException, goes_on: bool) -> None:
    """After an error: what the next run of the same can use, and nothing else."""
    if not scratch.is_dir():
        return
    passing = isinstance(error, _PASSING) or (isinstance(error, OSError) and error.errno in _PASSING_ERRORS)
    passing |= not isinstance(error, Exception)
    useful = (goes_on and files(scratch) != [PLAN]) or (scratch / MANIFEST).is_file()
    if isinstance(error, ConfigurationError) or not useful:
        _remove(scratch, PLAN)
    elif not passing:
        (scratch / _FAILED).touch()


def _plain(identity: Identity) -> Identity:
    return json.loads(json.dumps(identity))


def _begin(scratch: Path, plan: Identity, force: bool, goes_on: bool) -> None:
    left, failed = scratch / PLAN, scratch / _FAILED
    if left.is_file() and goes_on:
        try:
            difference = first_difference(json.loads(left.read_text(encoding="utf-8")), plan)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            difference = f"{PLAN} is damaged ({error})"
        if not difference:
            (scratch / MANIFEST).unlink(missing_ok=True)
            failed.unlink(missing_ok=True)
            for path in scratch.rglob("*.part"):
                if path.is_file():  # One that was being written, by whoever was killed.
                    path.unlink()
            return
        if not force and not failed.is_file():
            raise ConfigurationError(
                f"{scratch} is what an interrupted run with other settings left: {difference}; "
                "run that one again to go on with it, or remove it (--force does)"
            )
    failed.touch()
    write_json(left, {})  # Whoever is killed now has left nothing to go on from.
    for path in scratch.iterdir():
        if path not in (left, failed):
            _discard(path)
    write_json(left, plan)
    failed.unlink()
