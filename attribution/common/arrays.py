"""NumPy's files, which may be damaged, or of something else."""

import struct
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Dict, List, Sequence, Union
from zipfile import BadZipFile

import numpy as np
from allennlp.common.checks import ConfigurationError

UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
    SyntaxError,
    TokenError,
    struct.error,
    zlib.error,
    BadZipFile,
)
"""What NumPy raises of such a file."""


def read_arrays(path: Union[str, Path], names: Sequence[str], what: str, optional: str = "") -> Dict[str, np.ndarray]:
    """
    The arrays of these names in an `.npz`, and the `optional` one if it is there. Nothing in it is executed.

    # Raises

    `ConfigurationError`, which says `what` the file is not, if there are no such arrays.
    """
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            raise ValueError("it is one array without a name")
        with content as saved:
            return {name: saved[name] for name in [*names, *({optional} & {*saved})]}
    except UNREADABLE as error:
        raise ConfigurationError(f"{path}: not {what} ({_reason(error)})") from error


def read_array(path: Union[str, Path], what: str) -> np.ndarray:
    """
    The numbers of an `.npy`. Nothing in it is executed.

    # Raises

    `ConfigurationError`, which says `what` the file is not, if it does not hold such an array.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise ConfigurationError(f"{path}: not {what} ({_reason(error)})") from error
    if not isinstance(values, np.ndarray):
        raise ConfigurationError(f"{path}: is an archive, not {what}")
    if values.dtype.kind not in "fiu":
        raise ConfigurationError(f"{path}: holds {values.dtype}; real numbers are needed")
    return values


def texts_of(array: np.ndarray) -> List[str]:
    """
    # Raises

    `ValueError` if it is anything but a list of different texts of one line each.
    """
    if array.dtype.kind != "U" or array.ndim != 1:
        raise ValueError(f"{array.dtype} of shape {array.shape} in the place of a list of names")
    names: List[str] = array.tolist()
    wrong = next((name for name in names if not name.isprintable() or names.count(name) > 1), None)
    if wrong is not None:
        raise ValueError(f"the name {wrong!r} is there twice" if wrong.isprintable() else f"the name {wrong!r}")
    return names


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if "pickle" in text:  # NumPy goes on to say how to load it nevertheless.
        return "it holds no numbers and no texts, or is no such file at all"
    return text[:200] or type(error).__name__
