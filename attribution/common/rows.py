"""Rows of a JSONL, JSONL.gz or Parquet file, read one at a time and never held together."""

import gzip
import json
import re
import zlib
from abc import ABC, abstractmethod
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union, cast

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

JsonDict = Dict[str, Any]

OFFSETS = ".offsets.npy"
"""`pool.jsonl.offsets.npy` beside `pool.jsonl`: where each of its lines ends, as int64."""

_SCAN_BYTES = 1 << 24
_SURROGATE = re.compile("[\ud800-\udfff]")


class RowError(ConfigurationError):
    """A row that cannot be used. `reason` says why without its details, so that such rows can be counted."""

    def __init__(self, where: str, reason: str, detail: str = "") -> None:
        super().__init__(f"{where}: {reason}{detail}")
        self.reason = reason

    def __reduce__(self) -> Tuple[Any, ...]:
        return ConfigurationError, (self.message,)  # What a worker process raises: nothing counts it there.


class Row(NamedTuple):
    """One row of a file. Its number is its identity everywhere in this package."""

    number: int
    """0-based position in the file."""
    content: JsonDict
    where: str
    """`file:line` (1-based, as editors count), for messages."""


class Rows(ABC):
    """
    The rows of one file. Peak memory does not depend on the file's size.

    # Parameters

    path : `Path`
        An existing local file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def __len__(self) -> int:
        """The number of rows. Reads the file once, then remembers."""

    @abstractmethod
    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        """The rows whose number is `index` modulo `count`, in file order; only these are parsed."""

    @abstractmethod
    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        """The rows with the given numbers, which must be strictly increasing: one pass over the file."""

    def __iter__(self) -> Iterator[Row]:
        return self.shard()

    def each(self) -> Iterator[Union[Row, RowError]]:
        """All rows in file order; in the place of one that cannot be read, the error that says why."""
        try:
            yield from self
        except RowError as error:
            yield error

    def files(self) -> List[Path]:
        """The local files that the rows depend on."""
        return [self.path]

    def class_names(self, field: str) -> List[str]:
        """What the numbers in a field, or in its lists, stand for, where the data set says so; otherwise none."""
        return []

    def where(self, number: int) -> str:
        return f"{self.path}:{number + 1}"

    def _parse(self, number: int, line: bytes) -> Row:
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RowError(self.where(number), "not valid JSON", f" ({error})") from error
        if b"\\ud" in line and _SURROGATE.search(json.dumps(content, ensure_ascii=False)):
            raise RowError(self.where(number), "half of a character", ": a \\ud8.. to \\udf.. without the other half")
        if not isinstance(content, dict):
            raise RowError(self.where(number), "a row must be a JSON object", f", this is {type(content).__name__}")
        return Row(number, content, self.where(number))

    def _parse_each(self, lines: Iterable[bytes]) -> Iterator[Union[Row, RowError]]:
        try:
            for number, line in enumerate(lines):
                try:
                    yield self._parse(number, line)
                except RowError as error:
                    yield error
        except RowError as error:  # The lines themselves end in one: nothing can be read after it.
            yield error


class JsonlRows(Rows):
    """
    A plain JSONL file: random access through an index of line offsets (8 bytes a row). It is memory-mapped where it
    lies beside the file, its last offset is the file's size, and it is not older; otherwise it is built on first use.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._ends: np.ndarray = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._line_ends())

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        with self.path.open("rb") as file:
            for number, line in islice(enumerate(file), index, None, count):
                yield self._parse(number, line)

    def each(self) -> Iterator[Union[Row, RowError]]:
        with self.path.open("rb") as file:
            yield from self._parse_each(file)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        ends = self._line_ends()
        with self.path.open("rb") as file:
            for number in checked_numbers(numbers, len(ends), self.path):
                file.seek(int(ends[number - 1]) if number else 0)
                yield self._parse(number, file.readline())

    def _line_ends(self) -> np.ndarray:
        if not len(self._ends):
            stored = _stored_line_ends(self.path)
            self._ends = _scan_line_ends(self.path) if stored is None else stored
        return self._ends


class GzipJsonlRows(Rows):
    """A gzipped JSONL file. It has no random access: `take` is one pass that skips what is not asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._length = -1

    def __len__(self) -> int:
        if self._length < 0:
            self._length = sum(1 for _ in gzip_lines(self.path))
        return self._length

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        for number, line in islice(enumerate(gzip_lines(self.path)), index, None, count):
            yield self._parse(number, line)

    def each(self) -> Iterator[Union[Row, RowError]]:
        return self._parse_each(gzip_lines(self.path))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        lines = enumerate(gzip_lines(self.path))
        for number in checked_numbers(numbers, len(self), self.path):
            line = next(line for at, line in lines if at == number)
            yield self._parse(number, line)


class ParquetRows(Rows):
    """A Parquet file, read one row group at a time; row groups without a wanted row are skipped unread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyarrow
        import pyarrow.parquet

        try:
            self._file = pyarrow.parquet.ParquetFile(path, memory_map=True)
        except pyarrow.ArrowInvalid as error:
            raise ConfigurationError(f"{path}: not a Parquet file ({error})") from error

    def __len__(self) -> int:
        return self._file.metadata.num_rows

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        return self._read(np.arange(index, len(self), count))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return self._read(np.asarray(checked_numbers(numbers, len(self), self.path), dtype=np.int64))

    def _read(self, numbers: np.ndarray) -> Iterator[Row]:
        start = 0
        for group in range(self._file.num_row_groups):
            end = start + self._file.metadata.row_group(group).num_rows
            first, last = np.searchsorted(numbers, [start, end])
            if first < last:
                table = self._read_group(group, start).take(numbers[first:last] - start)
                for number, content in zip(numbers[first:last], table.to_pylist()):
                    yield Row(int(number), content, self.where(int(number)))
            start = end

    def _read_group(self, group: int, start: int) -> Any:
        try:
            return self._file.read_row_group(group)
        except OSError as error:
            raise RowError(self.where(start), "damaged Parquet", f" in the row group from here on ({error})") from error

    def __getstate__(self) -> Dict[str, Path]:
        return {"path": self.path}

    def __setstate__(self, state: Dict[str, Path]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]


class LoadedRows(Rows):
    """
    Rows held in memory: those of a small file, or of several, that cannot be read piece by piece.

    # Parameters

    path : `Path`
        The file or the folder.
    rows : `Iterable[Tuple[JsonDict, str]]`
        Each row's content, and where it is, for messages.
    files : `Sequence[Path]`, optional (default = `[path]`)
        The files that were read.
    """

    def __init__(self, path: Path, rows: Iterable[Tuple[JsonDict, str]], files: Sequence[Path] = ()) -> None:
        super().__init__(path)
        self._rows = [Row(number, content, where) for number, (content, where) in enumerate(rows)]
        self._files = list(files) or [path]

    def __len__(self) -> int:
        return len(self._rows)

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        return islice(self._rows, index, None, count)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return (self._rows[number] for number in checked_numbers(numbers, len(self), self.path))

    def files(self) -> List[Path]:
        return self._files


def local_file(path: Union[str, Path], wanted: str = "") -> Path:
    """
    The file itself, with something in it. A URL is downloaded once. `wanted` says in messages what kind is needed.

    # Raises

    `ConfigurationError` if it is missing, is a directory or is empty.
    """
    try:
        local = Path(cached_path(path))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file") from error
    if local.is_dir():
        raise ConfigurationError(f"{path}: is a directory; a {wanted}{' ' * bool(wanted)}file is needed")
    if local.stat().st_size == 0:
        raise ConfigurationError(f"{path}: the file is empty")
    return local


def open_rows(path: Union[str, Path]) -> Rows:
    """
    Opens a file of rows by its ending: `.parquet`, `.gz`, anything else is JSONL. A URL is downloaded once.

    # Raises

    `ConfigurationError` if the file is missing, is a directory or has no rows.
    """
    local, name = local_file(path, ".jsonl, .jsonl.gz or .parquet"), str(path)
    if name.endswith(".parquet"):
        return ParquetRows(local)
    return GzipJsonlRows(local) if name.endswith(".gz") else JsonlRows(local)


def gzip_lines(path: Path) -> Iterator[bytes]:
    """The lines of a gzipped text file, as far as it can be read; then a `RowError`."""
    lines = 0
    try:
        with gzip.open(path, "rb") as file:
            for line in cast(BinaryIO, file):
                yield line
                lines += 1
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        place = f" after line {lines} ({error})"
        raise RowError(str(path), "truncated or not a gzip file", place) from error


def _stored_line_ends(path: Path) -> Optional[np.ndarray]:
    """The index beside the file, if there is one that fits it."""
    beside = path.with_name(path.name + OFFSETS)
    if not beside.is_file() or beside.stat().st_mtime_ns < path.stat().st_mtime_ns:
        return None
    try:
        ends = np.load(beside, mmap_mode="r", allow_pickle=False)
    except ValueError:  # Cut short, or no array at all.
        return None
    fits = ends.ndim == 1 and ends.dtype == np.int64 and len(ends) and ends[-1] == path.stat().st_size
    return ends if fits else None


def _scan_line_ends(path: Path) -> np.ndarray:
    """Offsets just past each newline (and of the end of a last line without one)."""
    blocks: List[np.ndarray] = []
    offset = 0
    last = b"\n"
    with path.open("rb") as file:
        while block := file.read(_SCAN_BYTES):
            blocks.append(np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")) + offset + 1)
            offset += len(block)
            last = block[-1:]
    if last != b"\n":
        blocks.append(np.array([offset]))
    return np.concatenate(blocks)


def checked_numbers(numbers: Sequence[int], length: int, path: Path) -> List[int]:
    """
    Row numbers of a file of so many rows.

    # Raises

    `ConfigurationError` if one is not in the file.
    """
    checked = [int(number) for number in numbers]
    if any(later <= earlier for earlier, later in zip(checked, checked[1:])):
        raise ValueError("row numbers must be strictly increasing")
    if checked and not 0 <= checked[0] <= checked[-1] < length:
        raise ConfigurationError(f"{path}: has {length} rows; row {checked[-1]} was asked for")
    return checked
