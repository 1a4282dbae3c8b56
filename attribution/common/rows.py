"""Rows of a file, read one at a time and never held together, and what is said of those that cannot be read."""

import json
import re
from abc import ABC, abstractmethod
from datetime import date, time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path

JsonDict = Dict[str, Any]

OFFSETS = ".offsets.npy"
"""`pool.jsonl.offsets.npy` beside `pool.jsonl`: where each of its lines ends, as int64."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_SCAN_BYTES = 1 << 24
_SURROGATE = re.compile("[\ud800-\udfff]")


class WrittenNumber(float):
    """A number with a point or an exponent, which prints as the file has it: 1.50, not 1.5."""

    def __new__(cls, written: str) -> "WrittenNumber":
        number = super().__new__(cls, written)
        number.written = written
        return number

    written: str

    def __str__(self) -> str:
        return self.written

    __repr__ = __str__


def _constant(name: str) -> Optional[float]:
    return None if name == "NaN" else WrittenNumber(name)


JSON_DECODER = json.JSONDecoder(parse_float=WrittenNumber, parse_constant=_constant)
"""Numbers print as they are written, and NaN, which is how many programs write a missing value, is null."""


class NoText(bytes):
    """Bytes that are no UTF-8 text, as those of an image."""

    def __str__(self) -> str:
        raise ValueError("bytes that are no UTF-8 text")


def text_of(value: Any) -> Optional[str]:
    """
    A text as it stands, a number's digits, a date or time, or `true` and `false` as JSON writes them; none for anything
    else.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float, Decimal, date, time)) else None


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


def label_of(row: Row, field: str) -> str:
    """
    The name of its task or template, or its id; empty if it does not say.

    # Raises

    `RowError` if that is a list or an object.
    """
    value = row.content.get(field)
    label = "" if value is None else text_of(value)
    if label is None:
        raise RowError(row.where, f"`{field}` is not a text", f": {value!r:.80}")
    return label


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


class StreamedRows(Rows):
    """
    Rows that are read from the beginning on: `take` is one pass that skips what is not asked for. A subclass says what
    stands in the place of each row, in `records`, and what row that is, in `row`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._length = -1

    @abstractmethod
    def records(self) -> Iterator[Any]:
        """What stands in the place of each row. It may end in a `RowError`: nothing can be read after that."""

    @abstractmethod
    def row(self, number: int, record: Any) -> Row:
        """
        # Raises

        `RowError` if this is none.
        """

    def __len__(self) -> int:
        if self._length < 0:
            self._length = sum(1 for _ in self.records())
        return self._length

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        for number, record in islice(enumerate(self.records()), index, None, count):
            yield self.row(number, record)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        records = enumerate(self.records())
        for number in checked_numbers(numbers, len(self), self.path):
            yield next(self.row(at, record) for at, record in records if at == number)

    def each(self) -> Iterator[Union[Row, RowError]]:
        try:
            for number, record in enumerate(self.records()):
                try:
                    yield self.row(number, record)
                except RowError as error:
                    yield error
        except RowError as error:
            yield error


class JsonlRows(StreamedRows):
    """
    A plain JSONL file: random access through an index of line offsets (8 bytes a row). It is memory-mapped where it
    lies beside the file, its last offset is the file's size, and the file has not changed since it was written;
    otherwise it is built on first use.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._ends: np.ndarray = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._line_ends())

    def records(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from content_lines(file)

    def row(self, number: int, record: bytes) -> Row:
        return json_row(number, record, self.where(number))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        ends = self._line_ends()
        with self.path.open("rb") as file:
            for number in checked_numbers(numbers, len(ends), self.path):
                file.seek(int(ends[number - 1]) if number else 0)
                line = file.readline()
                yield self.row(number, line if number else line.removeprefix(BYTE_ORDER_MARK))

    def _line_ends(self) -> np.ndarray:
        if not len(self._ends):
            stored = _stored_line_ends(self.path)
            self._ends = _scan_line_ends(self.path) if stored is None else stored
        return self._ends


class ParquetRows(Rows):
    """A Parquet file, read one row group at a time; row groups without a wanted row are skipped unread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyarrow
        import pyarrow.parquet

        try:
            self._file = pyarrow.parquet.ParquetFile(path, memory_map=True)
            schema = self._file.schema_arrow
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: not a Parquet file, or a damaged one ({error})") from error
        self._is_json = re.search("float|double|binary", str(schema.types)) is None
        # Of numbers of single precision the digits that tell them apart: .1, not .10000000149011612.
        self._short = [place for place, kind in enumerate(schema.types) if pyarrow.types.is_float32(kind)]

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
                for number, content in zip(numbers[first:last], self._contents(group, start, numbers[first:last])):
                    yield Row(int(number), content if self._is_json else as_json(content), self.where(int(number)))
            start = end

    def _contents(self, group: int, start: int, numbers: np.ndarray) -> List[JsonDict]:
        import pyarrow

        try:
            table = self._file.read_row_group(group).take(numbers - start)
            for place in self._short:
                column = table.column(place).cast(pyarrow.string()).cast(pyarrow.float64())
                table = table.set_column(place, table.field(place).name, column)
            return table.to_pylist()
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise RowError(self.where(start), "damaged Parquet", f" in the row group from here on ({error})") from error

    def class_names(self, field: str) -> List[str]:
        if b"huggingface" not in (self._file.schema_arrow.metadata or {}):
            return []
        import datasets

        feature = datasets.Features.from_arrow_schema(self._file.schema_arrow).get(field)
        return list(getattr(getattr(feature, "feature", feature), "names", None) or [])

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
    if path == "":
        raise ConfigurationError(f"the path of the {wanted}{' ' * bool(wanted)}file is empty")
    try:
        local = Path(cached_path(path))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: no such file") from error
    except ValueError as error:  # With a colon in it it may have been meant as a URL.
        raise ConfigurationError(f"{path}: no such file, and no URL of a kind that is read ({error})") from error
    if local.is_dir():
        raise ConfigurationError(f"{path}: is a directory; a {wanted}{' ' * bool(wanted)}file is needed")
    if local.stat().st_size == 0:
        raise ConfigurationError(f"{path}: the file is empty")
    return local


def as_json(value: Any) -> Any:
    """
    The same of a table with null in the place of NaN, which is how tables of numbers write a missing value, and with
    the texts that bytes are.
    """
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return NoText(value)
    return None if isinstance(value, float) and value != value else value


def content_lines(lines: Iterable[bytes], blanks: bytes = b" \t\r\n") -> Iterator[bytes]:
    """
    The lines of a text: the first without a byte order mark, and none of those at the end that consist of `blanks`.
    """
    blank: List[bytes] = []
    for number, line in enumerate(lines):
        if line.isspace() and not line.strip(blanks):
            blank.append(line)
        else:
            yield from blank
            blank.clear()
            yield line if number else line.removeprefix(BYTE_ORDER_MARK)


def json_row(number: int, line: bytes, where: str) -> Row:
    """
    # Raises

    `RowError` if the line is no JSON object.
    """
    try:
        content = JSON_DECODER.decode(line.decode())
    except (ValueError, RecursionError) as error:
        reason = "a blank line" if line.isspace() else "not valid JSON"
        raise RowError(where, reason, f" ({error})") from error
    return object_row(number, content, where, b"\\ud" in line)


def object_row(number: int, content: Any, where: str, escaped: bool) -> Row:
    """
    # Parameters

    escaped : `bool`
        Whether the JSON has characters written as `\\ud8..`, which come in pairs.

    # Raises

    `RowError` if the content is no object, or has a half of such a pair.
    """
    if escaped and _SURROGATE.search(json.dumps(content, ensure_ascii=False)):
        raise RowError(where, "half of a character", ": a \\ud8.. to \\udf.. without the other half")
    if not isinstance(content, dict):
        raise RowError(where, "a row must be a JSON object", f", this is {type(content).__name__}")
    return Row(number, content, where)


def _stored_line_ends(path: Path) -> Optional[np.ndarray]:
    """The index beside the file, if there is one that fits it."""
    beside = path.with_name(path.name + OFFSETS)
    if not beside.is_file():
        return None
    state, of_file = beside.stat(), path.stat()
    # A file that took the place of another may have been written before it, but it changed when it did so.
    if state.st_mtime_ns < of_file.st_mtime_ns or state.st_ctime_ns < of_file.st_ctime_ns:
        return None
    try:
        ends = np.load(beside, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError):  # Cut short, or no array at all.
        return None
    fits = ends.ndim == 1 and ends.dtype == np.int64 and len(ends) and ends[-1] == path.stat().st_size
    return ends if fits else None


def _scan_line_ends(path: Path) -> np.ndarray:
    """Offsets just past each newline (and of the end of a last line without one), but for blank lines at the end."""
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
        ends = np.concatenate(blocks)
        while len(ends) and _line_before(file, ends).isspace():
            ends = ends[:-1]
    return ends


def _line_before(file: BinaryIO, ends: np.ndarray) -> bytes:
    """The last of the lines that end there."""
    file.seek(int(ends[-2]) if len(ends) > 1 else 0)
    return file.readline()


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
