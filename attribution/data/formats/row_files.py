"""Any file of rows, or folder of such files: what it is, is found by its ending and by looking into it."""

import logging
import re
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.compression import COMPRESSIONS, DAMAGED, binary_lines, open_bytes, split_compression
from attribution.common.manifest import check_products
from attribution.common.rows import (
    BYTE_ORDER_MARK,
    JSON_DECODER,
    OFFSETS,
    JsonlRows,
    ParquetRows,
    Row,
    RowError,
    Rows,
    checked_numbers,
    content_lines,
    local_file,
)
from attribution.data.dataset_files import arrow_rows
from attribution.data.formats.delimited import DelimitedRows
from attribution.data.formats.documents import DOCUMENTS, document_rows
from attribution.data.formats.gym_rows import GymRows, gym_task
from attribution.data.formats.json_rows import CompressedJsonlRows, JsonListRows

logger = logging.getLogger(__name__)

_COMPANIONS = ("dataset_dict.json", "dataset_info.json", "manifest.json", "state.json", "tasks.json")
_LINES = (".jsonl", ".ndjson", ".jsonlines")
_BINARY: Dict[str, Callable[[Path], Rows]] = {".parquet": ParquetRows, ".arrow": arrow_rows}
_SEPARATORS = {".csv": b",", ".tsv": b"\t"}
_BEGINNING = 1 << 12
_SPLIT = re.compile("(?<![a-z])(train|validation|valid|dev|test)(?![a-z])")

FORMATS = (
    f".jsonl, .json (lines, a list, {DOCUMENTS}), .csv, .tsv and the Few-shot Gym's .tsv, each also as "
    f"{', '.join(COMPRESSIONS)}; .parquet and .arrow; a folder of such files"
)
"""What is read, for messages."""


class ChainedRows(Rows):
    """
    The rows of several files, one after the other.

    # Parameters

    path : `Path`
        What they have in common, for messages.
    parts : `Sequence[Rows]`
        At least one.
    """

    def __init__(self, path: Path, parts: Sequence[Rows]) -> None:
        super().__init__(path)
        self.parts = parts

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        first = 0
        for part in self.parts:
            rows = 0
            for row in part.shard((index - first) % count, count):
                yield row._replace(number=first + row.number)
                rows += 1
            first += rows if count == 1 else len(part)

    def each(self) -> Iterator[Union[Row, RowError]]:
        first = 0
        for part in self.parts:
            rows = 0
            for row in part.each():
                yield row if isinstance(row, RowError) else row._replace(number=first + row.number)
                rows += 1
            first += rows

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        wanted = checked_numbers(numbers, len(self), self.path)
        first = 0
        for part in self.parts:
            own = wanted[bisect_left(wanted, first) : bisect_left(wanted, first + len(part))]
            for row in part.take([number - first for number in own]):
                yield row._replace(number=first + row.number)
            first += len(part)

    def files(self) -> List[Path]:
        return [file for part in self.parts for file in part.files()]

    def class_names(self, field: str) -> List[str]:
        return self.parts[0].class_names(field)


def open_rows(path: Union[str, Path], gym: Optional[bool] = None) -> Rows:
    """
    Opens a file of rows, or all such files of a folder in the order of their names. What it holds is found by its
    ending, and JSON by looking: lines, a list or one object. A URL is downloaded once.

    # Parameters

    gym : `bool`, optional
        Whether it is the Few-shot Gym's, a TSV without names of columns. By default its name says so, which is logged.

    # Raises

    `ConfigurationError` if the file is missing, empty or of another format, or one of ours that has been damaged.
    """
    if path == "":
        raise ConfigurationError("the path of a file of rows is empty; name the file, or the folder ('.' is this one)")
    if not isinstance(path, (str, Path)):  # A reader is given whatever a configuration has.
        raise ConfigurationError(f"{path!r} is no path of a file of rows")
    if Path(path).is_dir():
        return open_files(shards(Path(path)), Path(path), gym)
    local = local_file(path, "file of rows")
    check_products([local, local.with_name(local.name + OFFSETS)])
    name, compression = split_compression(str(path).partition("?")[0] if "://" in str(path) else str(path))
    ending = _ending(name)
    task = gym_task(Path(name).name)
    if gym or (gym is None and task):
        if ending != ".tsv":
            raise ConfigurationError(f"{path}: the Few-shot Gym's files are .tsv")
        if gym is None:
            _tell_of_gym(str(path))
        return GymRows(local, task or Path(name).stem, compression)
    if ending in _SEPARATORS:
        return DelimitedRows(local, _SEPARATORS[ending], compression)
    if ending in _BINARY:
        if compression:
            raise ConfigurationError(f"{path}: {ending} is compressed inside; decompress the file")
        return _BINARY[ending](local)
    return _open_json(local, compression, lines=ending in _LINES)


@lru_cache(maxsize=None)
def _tell_of_gym(path: str) -> None:
    """Once: a file is opened several times."""
    logger.warning(
        "%s: by its name a file of the Few-shot Gym, in each line an input and its answers; if the first line has the "
        "names of columns, `layout: 'prompted'`, `fields` or another name of the file says so",
        path,
    )


def open_files(paths: Sequence[Path], place: Path, gym: Optional[bool] = None) -> Rows:
    """The rows of one file, or of several one after the other, which have the `place` in common."""
    parts = [open_rows(path, gym) for path in paths]
    return parts[0] if len(parts) == 1 else ChainedRows(place, parts)


def shards(folder: Path) -> List[Path]:
    """
    The files of rows in a folder, in the order of their names. Of `.json`, which describes rows as often as it has
    some, only where there is nothing else.

    # Raises

    `ConfigurationError` if there are none, or they are of several splits.
    """
    files = sorted(filter(is_row_file, folder.iterdir()))
    found = [path for path in files if _ending(split_compression(path.name)[0]) != ".json"] or files
    if not found:
        raise ConfigurationError(f"{folder}: no file of rows in this folder; what is read: {FORMATS}")
    others = [path.name for path in sorted(folder.iterdir()) if path not in found and not _is_companion(path)]
    if others:
        logger.warning("%s: %d other files are left out, the first: %s", folder, len(others), ", ".join(others[:3]))
    splits = {match[0] for match in (_SPLIT.search(path.name) for path in found) if match}
    if len(splits) > 1:
        raise ConfigurationError(
            f"{folder}: has rows of several splits, {' and '.join(sorted(splits))}; name a file, or say which "
            "split with a source `datasets` or a reader's `dataset: { path: FOLDER, split_name: ... }`"
        )
    return found


def is_row_file(path: Path) -> bool:
    """Whether it is there, and ends as one."""
    return path.is_file() and not path.name.startswith(".") and named_as_rows(path.name)


def named_as_rows(name: str) -> bool:
    """Whether a file of this name has rows."""
    return bool(_ending(split_compression(name)[0]))


def _is_companion(path: Path) -> bool:
    """Of rows that this package or a hub wrote, or nothing that has a text of its own."""
    return path.name.startswith(".") or path.name in _COMPANIONS or path.suffix in (".md", ".npy")


def _ending(name: str) -> str:
    return next((ending for ending in (*_LINES, ".json", *_SEPARATORS, *_BINARY) if name.lower().endswith(ending)), "")


def _open_json(path: Path, compression: str, lines: bool) -> Rows:
    """With `lines` the ending says that it is no object."""
    try:
        with open_bytes(path, compression) as file:
            start = file.read(_BEGINNING).removeprefix(BYTE_ORDER_MARK).lstrip()
    except DAMAGED:  # Whoever reads the rows is told, after those that can be read.
        return CompressedJsonlRows(path, compression)
    if start.startswith(b"["):
        return JsonListRows(path, compression)
    if not start.startswith(b"{") and not lines:
        raise ConfigurationError(f"{path}: not a file of rows; what is read: {FORMATS}")
    document = None if lines else _document(path, compression)
    if document is not None:
        return document
    return CompressedJsonlRows(path, compression) if compression else JsonlRows(path)


def _document(path: Path, compression: str) -> Optional[Rows]:
    """The rows of the one object that the file is; nothing for JSON lines."""
    lines = content_lines(binary_lines(path, compression))
    first, second = next(lines, b""), next(lines, b"")
    content = _parsed(first)
    if content is not None:
        return None if second else document_rows(path, content)
    try:
        content = JSON_DECODER.decode(b"".join([first, second, *lines]).decode())
    except (ValueError, RecursionError) as error:
        if second.lstrip().startswith(b"{"):
            return None
        raise ConfigurationError(f"{path}: not valid JSON ({error})") from error
    rows = document_rows(path, content)
    if rows is None:
        raise ConfigurationError(
            f"{path}: an object without rows that are known, but with {sorted(content)!r:.200}; what is read: {FORMATS}"
        )
    return rows


def _parsed(line: bytes) -> Any:
    try:
        return JSON_DECODER.decode(line.decode())
    except (ValueError, RecursionError):
        return None
