"""What an interrupted run has left of its work: used again if it is as it was written, else removed and made again."""

import json
import logging
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import writing_beside

from attribution.common.arrays import UNREADABLE

logger = logging.getLogger(__name__)


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes an array beside its place, and renames it once it is on the disk."""
    with writing_beside(path) as beside, open(beside, "wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def missing_arrays(shapes: Mapping[Path, Sequence[Optional[int]]], dtypes: Sequence[str]) -> List[Path]:
    """
    Those of some files that are to be written. A file that is there, but is not an array of finite numbers of one of
    these types and of its shape, is removed; so is one whose last length is unlike that of others.

    # Parameters

    shapes : `Mapping[Path, Sequence[Optional[int]]]`
        A length that is None may be any.
    """
    widths: Dict[Path, int] = {}
    for path, shape in shapes.items():
        if path.exists():
            try:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
                reason = _difference(array, path.stat().st_size, dtypes, shape)
            except UNREADABLE as error:
                reason = f"cannot be read ({error})"
            if reason:
                discard(path, reason)
            else:
                widths[path] = array.shape[-1]
    usual = Counter(widths.values()).most_common(1)
    for path, width in widths.items():
        if width != usual[0][0]:
            discard(path, f"has {width} numbers a row, others have {usual[0][0]}")
    return [path for path in shapes if not path.exists()]


def check_alike(paths: Sequence[Path]) -> None:
    """
    # Raises

    `ConfigurationError` if the last lengths of the arrays in these files differ: nothing says which of them are right.
    """
    widths = [np.load(path, mmap_mode="r", allow_pickle=False).shape[-1] for path in paths]
    for path, width in zip(paths, widths):
        if width != widths[0]:
            raise ConfigurationError(
                f"{path}: has {width} numbers a row, {paths[0].name} has {widths[0]}; an interrupted run left some of "
                "them, and they are not of this encoder: the same command begins anew"
            )


def kept_lines(path: Path, fits: Callable[[int, Any], bool]) -> List[Any]:
    """
    What the lines of a JSONL file hold, up to the first that is not whole or does not fit; it and what follows are
    removed.

    # Parameters

    path : `Path`
    fits : `Callable[[int, Any], bool]`
        Whether a line, counted from 0, can have this in it.
    """
    if not path.is_file():
        return []
    found: List[Any] = []
    end = 0
    content = path.read_bytes()
    for line in content.splitlines(keepends=True):
        value = _of_line(line)
        if not line.endswith(b"\n") or value is None or not fits(len(found), value):
            break
        found.append(value)
        end += len(line)
    if b"\n" in content[end:]:  # More than the last line, which whoever is killed leaves.
        logger.warning("%s:%d: damaged; what it and the lines after it had is made again", path, len(found) + 1)
    os.truncate(path, end)
    return found


def discard(path: Path, reason: str) -> None:
    """Removes what cannot be used, and says why."""
    logger.warning("%s: left by an interrupted run, %s; it is made again", path, reason)
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _of_line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _difference(array: Any, size: int, dtypes: Sequence[str], shape: Sequence[Optional[int]]) -> str:
    if not isinstance(array, np.memmap) or array.dtype not in dtypes:
        return f"holds {getattr(array, 'dtype', 'no array')}, not {' or '.join(dtypes)}"
    if array.ndim != len(shape) or any(wanted not in (None, there) for wanted, there in zip(shape, array.shape)):
        return f"has the shape {array.shape}, not {tuple('any' if length is None else length for length in shape)}"
    if size != array.offset + array.nbytes:
        return f"has {size} bytes, its array takes {array.offset + array.nbytes}"
    return "" if np.isfinite(array).all() else "has numbers that are not finite"
