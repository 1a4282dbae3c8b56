"""Files as bytes, plain or compressed."""

import bz2
import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, Iterator, Tuple, cast

from attribution.common.rows import RowError

DAMAGED = (EOFError, OSError, zlib.error)
"""What reading a compressed file raises that is none, or is cut short."""


def _zstd(path: Path, _mode: str) -> BinaryIO:
    import pyarrow

    # Other than `zstandard` it tells of a file that is cut short.
    return cast(BinaryIO, io.BufferedReader(pyarrow.input_stream(str(path), compression="zstd")))


_OPENERS: Dict[str, Callable[[Path, str], Any]] = {"": open, ".gz": gzip.open, ".bz2": bz2.open, ".zst": _zstd}
COMPRESSIONS = tuple(ending for ending in _OPENERS if ending)


def split_compression(name: str) -> Tuple[str, str]:
    """A file's name without the ending that says how it is compressed, and that ending, or an empty one."""
    found = next((ending for ending in COMPRESSIONS if name.endswith(ending)), "")
    return name.removesuffix(found), found


def open_bytes(path: Path, compression: str = "") -> BinaryIO:
    """An existing local file; `compression` is one of `COMPRESSIONS`, or empty."""
    return cast(BinaryIO, _OPENERS[compression](path, "rb"))


def damaged(path: Path, compression: str, place: str, error: BaseException) -> RowError:
    """What to raise in the place of one of `DAMAGED`."""
    kind = f"truncated or not a {compression} file" if compression else "cannot be read"
    return RowError(str(path), kind, f" {place} ({error})")


def binary_lines(path: Path, compression: str = "") -> Iterator[bytes]:
    """The lines with their ends, as far as they can be read; then a `RowError`."""
    lines = 0
    try:
        with open_bytes(path, compression) as file:
            for line in file:
                yield line
                lines += 1
    except DAMAGED as error:
        raise damaged(path, compression, f"after line {lines}", error) from error
