"""
The directory that a training writes: what it may replace, and what comes back after an accident.
`shell_scripts/port_allennlp.py` puts this file into the wheel as `allennlp/common/training_folder.py`.
"""

import fcntl
import functools
import glob
import json
import logging
import os
import re
import shutil
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Optional, Tuple, Union

from allennlp.common.checks import ConfigurationError
from allennlp.common.port import naming_a_full_disk

PathOrStr = Union[str, "os.PathLike[str]"]

logger = logging.getLogger(__name__)

_CONFIG = "config.json"
_META = "meta.json"
_BEFORE_CONFIG = {_META, f"{_META}.part", f"{_CONFIG}.part"}
"""What a training writes before its configuration: with no more than these it has not begun."""
_BEFORE_CHECKPOINT = re.compile(
    r"config\.json|meta\.json|out(_worker\d+)?\.log|vocabulary|log|metrics(_epoch_\d+)?\.json|.*\.part"
)
"""What it writes before its first checkpoint."""
_OF_FIND_LR = "lr-losses.png"


def keeping_what_was_there(train_model: Callable[..., Any]) -> Callable[..., Any]:
    """
    A training that fails or is stopped before it has written a checkpoint leaves nothing behind; with `force`, what the
    directory held before comes back, after a kill with the next training there. Two trainings are never in one
    directory.
    """

    @functools.wraps(train_model)
    def guarded(
        params: Any, serialization_dir: PathOrStr, recover: bool = False, force: bool = False, **kwargs: Any
    ) -> Any:
        folder = Path(serialization_dir).resolve()
        if kwargs.get("node_rank"):  # Of a training on several machines the first one looks after the directory.
            return train_model(params, serialization_dir, recover, force, **kwargs)
        _bring_back(folder)
        if recover:
            with _alone(folder) if folder.is_dir() else nullcontext(), naming_a_full_disk(folder):
                _check_recoverable(folder)
                return train_model(params, serialization_dir, recover, force, **kwargs)
        check_inputs(folder, _named_in(params.params))
        existed = folder.is_dir()
        occupied = existed and not _is_unbegun(folder)
        if occupied:
            _check_replaceable(folder, force)
        aside = _aside(folder)
        with _alone(folder) if existed else nullcontext():
            if occupied:
                folder.rename(aside)
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder) if occupied or not existed else nullcontext(), naming_a_full_disk(folder):
                _empty(folder)
                try:
                    model = train_model(params, serialization_dir, **kwargs)
                except BaseException:
                    if not _has_weights(folder):
                        _empty(folder)
                        if occupied or not existed:
                            folder.rmdir()
                        if occupied:
                            aside.rename(folder)
                    raise
                finally:
                    _remove_aside(aside)
                return model

    return guarded


def check_configuration(path: PathOrStr, serialization_dir: PathOrStr, recover: bool) -> None:
    """
    # Raises

    `ConfigurationError` if the configuration is in the directory that a training, unless it goes on there, would write.
    """
    if not recover:
        check_inputs(Path(serialization_dir).resolve(), [("the configuration", os.fspath(path))])


def remove_what_was_there(params: Any, serialization_dir: PathOrStr) -> None:
    """
    What a training, or `find-lr`, wrote.

    # Raises

    `ConfigurationError` if the directory is anything else, or has something that these settings name.
    """
    folder = Path(serialization_dir).resolve()
    check_inputs(folder, _named_in(params.params))
    if not _is_unbegun(folder) and [path.name for path in folder.iterdir()] != [_OF_FIND_LR]:
        _check_replaceable(folder, force=True)
    _empty(folder)


def check_inputs(folder: Path, inputs: Iterable[Tuple[str, str]]) -> None:
    """
    # Parameters

    inputs : `Iterable[Tuple[str, str]]`
        What each is, and its path or a pattern of paths.

    # Raises

    `ConfigurationError`, naming the first, if one is in the directory that is to be written, or is the directory.
    """
    for what, name in inputs:
        for found in [name] if os.path.lexists(name) else glob.glob(name):
            for path in (Path(os.path.abspath(found)), Path(found).resolve()):
                if path == folder or folder in path.parents:
                    raise ConfigurationError(
                        f"{folder}: cannot be written, {what} ({found}) {'is' if path == folder else 'is in'} it; "
                        "name another directory"
                    )


def _named_in(settings: Any, where: str = "") -> Iterator[Tuple[str, str]]:
    """Texts that may be paths: those of rows, and what has a folder before its name."""
    if isinstance(settings, dict):
        for key, value in settings.items():
            yield from _named_in(value, f"{where}.{key}" if where else str(key))
    elif isinstance(settings, list):
        for number, value in enumerate(settings):
            yield from _named_in(value, f"{where}.{number}")
    elif isinstance(settings, str) and "\0" not in settings and (os.sep in settings or "data_path" in where):
        yield where, settings


def _check_replaceable(folder: Path, force: bool) -> None:
    names = {path.name for path in folder.iterdir()}
    whole = "vocabulary" in names or _has_weights(folder)
    killed_early = _META in names and all(map(_BEFORE_CHECKPOINT.fullmatch, names))
    if not (_CONFIG in names and (whole or killed_early)):
        raise ConfigurationError(
            f"{folder}: is there, and no training has written it, so that it is not replaced; name another directory"
        )
    if not force:
        raise ConfigurationError(
            f"{folder}: has a training already. --recover goes on with it, --force replaces it; or name another one"
        )
    here = Path.cwd()
    if folder == here or folder in here.parents:
        raise ConfigurationError(f"{folder}: is not replaced, this command runs in it; go to another directory first")
    if folder.is_mount():
        raise ConfigurationError(f"{folder}: is the root of a disk, which cannot be replaced; name a directory in it")


def _check_recoverable(folder: Path) -> None:
    if folder.is_dir() and _is_unbegun(folder):
        raise ConfigurationError(f"{folder}: there is nothing to go on with yet; leave --recover out")
    for path in sorted(folder.glob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            way = "remove it to go on without its numbers" if path.name.startswith("metrics") else "--force trains anew"
            raise ConfigurationError(f"{path}: damaged ({error}); {way}") from error


def _is_unbegun(folder: Path) -> bool:
    return {path.name for path in folder.iterdir()} <= _BEFORE_CONFIG


def _has_weights(folder: Path) -> bool:
    return any(path.suffix == ".th" or path.name == "model.tar.gz" for path in folder.iterdir())


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _bring_back(folder: Path) -> None:
    """
    After a training with `force` that was killed: what it had set aside is there again, if it had no checkpoint yet,
    and else is removed.
    """
    aside = _aside(folder)
    if not os.path.lexists(aside):
        return
    if aside.is_symlink() or not aside.is_dir():
        raise ConfigurationError(f"{aside}: is in the way of what a training replaces; move it away")
    with _alone(aside, folder):
        begun = folder.is_dir() and any(folder.iterdir())
        if begun and _has_weights(folder):
            _remove_aside(aside)
            return
        if begun and not _is_left_by_a_kill(folder):
            raise ConfigurationError(
                f"{aside}: is what {folder} was before a training that was killed; move one of the two away"
            )
        if folder.is_dir():
            _empty(folder)
            folder.rmdir()
        aside.rename(folder)
        logger.warning("%s: is again what it was before a training that was killed", folder)


def _is_left_by_a_kill(folder: Path) -> bool:
    return all(_BEFORE_CHECKPOINT.fullmatch(path.name) for path in folder.iterdir())


def _remove_aside(aside: Path) -> None:
    """
    Its configuration last, by which it is known.

    # Raises

    `ConfigurationError` if that is not there.
    """
    if not aside.is_dir():
        return
    if any(aside.iterdir()) and not (aside / _CONFIG).is_file():
        raise ConfigurationError(f"{aside}: is in the way of what a training replaces; move it away")
    for path in sorted(aside.iterdir(), key=lambda path: path.name == _CONFIG):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    aside.rmdir()


@contextmanager
def _alone(folder: Path, name: Optional[Path] = None) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # The kernel gives it back when the process dies.
        except BlockingIOError:
            raise ConfigurationError(f"{name or folder}: another process is training there") from None
        except OSError:
            logger.debug("%s is on a disk without locks", folder)
        yield
    finally:
        os.close(handle)
