"""Pickles of plain data: an unpickler that can make nothing else."""

import pickle
import re
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.retrievers.faiss_index import load_faiss, refused


class _FlatIndex:
    """In the place of a flat index of faiss's: what the library itself would be given, and nothing done with it."""

    def __setstate__(self, state: Any) -> None:
        self.content = state


class _Kind:
    """In the place of a `numpy.dtype`. Of objects there are none: from bytes NumPy makes pointers of them."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]

    def made(self) -> np.dtype:
        kind = np.dtype(self.code)
        if kind.kind not in "biufcSU":
            raise ConfigurationError(f"it has an array of the type {kind}")
        return kind.newbyteorder(self.order)


class _Array(np.ndarray):
    """In the place of NumPy's: filled by what says its kind, and by nothing else."""

    def __new__(cls, *_: Any) -> "_Array":
        return super().__new__(cls, 0)

    def __setstate__(self, state: Any) -> None:
        version, shape, kind, is_fortran, content = state
        super().__setstate__((version, shape, kind.made(), is_fortran, content))


def _array(*_: Any) -> _Array:
    return _Array()


def _number(kind: _Kind, content: bytes) -> Any:
    return np.frombuffer(content, kind.made())[0]


def _from_buffer(content: bytes, kind: _Kind, shape: Any, order: Any) -> np.ndarray:
    return np.frombuffer(content, kind.made()).reshape(shape, order=order)


# By the names that NumPy 1 and 2 write: what makes an array, a number of an array, and a view of a buffer.
_KNOWN: Dict[Tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    **{
        (f"numpy.{core}.{module}", name): made
        for core in ("core", "_core")
        for module, name, made in (
            ("multiarray", "_reconstruct", _array),
            ("multiarray", "scalar", _number),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
_FLAT = re.compile(r"faiss(\.swigfaiss\w*)?\.IndexFlat(L2)?")


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if _FLAT.fullmatch(f"{module}.{name}"):
            return _FlatIndex
        if (module, name) not in _KNOWN:
            raise ConfigurationError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]


def read_plain_pickle(path: Path) -> Any:
    """
    What a pickle holds, if that is arrays, lists, dictionaries, texts and numbers. Of a flat index of faiss's in it
    `vectors_of` makes an array.

    # Raises

    `ConfigurationError` if it asks for anything else, which is not made, or is no pickle.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{path}: not read, {error.message}; of a pickle arrays, lists, dictionaries, texts, numbers and flat "
            "indexes of faiss's are made, since anything else could execute code"
        ) from error
    except Exception as error:  # Whatever the bytes of another format make of it.
        raise ConfigurationError(f"{path}: no pickle, or a damaged one ({type(error).__name__}: {error})") from error


def vectors_of(value: Any, where: str) -> np.ndarray:
    """
    The vectors of a flat index, or of an array. Shape: (rows, dimension), float32.

    # Raises

    `ConfigurationError`, with `where` before it, if it is neither.
    """
    if isinstance(value, _FlatIndex):
        content = value.content.get("this") if isinstance(value.content, dict) else None
        if isinstance(content, (bytes, np.ndarray)):
            faiss = load_faiss()
            with refused(f"{where}: no index of faiss's"):
                index = faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))
                if isinstance(index, faiss.IndexFlat):
                    return index.reconstruct_n(0, index.ntotal)
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.ndim == 2:
        return np.asarray(value, dtype=np.float32)
    shape = f" of {value.dtype} and shape {value.shape}" if isinstance(value, np.ndarray) else ""
    raise ConfigurationError(
        f"{where}: a {type(value).__name__.lstrip('_')}{shape}; a flat index, or an array of numbers, a row for each "
        "example, is expected"
    )
