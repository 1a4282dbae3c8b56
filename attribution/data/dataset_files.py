"""Rows of Hugging Face datasets: from the hub, or from files in the formats that such datasets come in."""

import csv
import gzip
import json
from itertools import chain
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, LoadedRows, Row, RowError, Rows, checked_numbers, open_rows

_ROW_FILES = (".jsonl", ".jsonl.gz")
_FORMATS = {"parquet": "parquet", "csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "arrow": "arrow"}
_ROWS_AT_ONCE = 1000


class DatasetRows(Rows):
    """
    The rows of a `datasets.Dataset`, memory-mapped.

    # Parameters

    path : `Path`
        Where it came from, for messages: a file, a folder or a hub id.
    dataset : `datasets.Dataset`
    """

    def __init__(self, path: Path, dataset: Any) -> None:
        super().__init__(path)
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        return self._rows(range(index, len(self), count))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return self._rows(checked_numbers(numbers, len(self), self.path))

    def files(self) -> List[Path]:
        return [self.path] if self.path.is_file() else [Path(file["filename"]) for file in self.dataset.cache_files]

    def class_names(self, field: str) -> List[str]:
        feature = self.dataset.features.get(field)
        return list(getattr(getattr(feature, "feature", feature), "names", None) or [])

    def _rows(self, numbers: Sequence[int]) -> Iterator[Row]:
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            block = numbers[start : start + _ROWS_AT_ONCE]
            for number, content in zip(block, self.dataset.select(block)):
                yield Row(number, content, self.where(number))


def is_dataset_file(path: Path) -> bool:
    """Whether it ends as one; JSON and CSV may be gzipped."""
    return path.is_file() and path.name.removesuffix(".gz").endswith(tuple(f".{ending}" for ending in _FORMATS))


def open_dataset_files(paths: Sequence[Path]) -> Rows:
    """
    The rows of a local file, or of several of one format, one after the other: JSONL, JSONL.gz, Parquet, CSV, TSV, JSON
    or Arrow.

    # Raises

    `ConfigurationError` if an ending is another, or a file cannot be read.
    """
    first = paths[0]
    settings = {**file_format(first), "data_files": [str(path) for path in paths]}
    if len(paths) == 1 and first.name.endswith(_ROW_FILES):
        return open_rows(first)
    place = first if len(paths) == 1 else first.parent
    if settings["path"] in ("csv", "json"):  # `datasets` would guess at dates, numbers and missing values.
        rows = chain.from_iterable(_csv_rows(path) if settings["path"] == "csv" else _json_rows(path) for path in paths)
        return LoadedRows(place, rows, paths)
    return DatasetRows(place, load(first, split="train", **settings))


def file_format(path: Path) -> Dict[str, Any]:
    """
    What `datasets.load_dataset` needs to know of a local file.

    # Raises

    `ConfigurationError` if no reader is known for its ending.
    """
    found = [ending[1:] for ending in path.suffixes if ending[1:] in _FORMATS]
    if not found:
        raise ConfigurationError(f"{path}: of its ending no reader is known; there are {sorted(_FORMATS)}")
    cells = {"keep_default_na": False, "sep": "\t" if found[-1] == "tsv" else ","}
    separator = cells if _FORMATS[found[-1]] == "csv" else {}
    return {"path": _FORMATS[found[-1]], "data_files": str(path), **separator}


def _csv_rows(path: Path) -> Iterator[Tuple[JsonDict, str]]:
    """Every cell as the text that it is."""
    separator = "\t" if ".tsv" in path.suffixes else ","
    with (
        gzip.open(path, "rt", encoding="utf-8", newline="")
        if path.suffix == ".gz"
        else path.open(encoding="utf-8", newline="") as file
    ):
        reader = csv.DictReader(file, delimiter=separator)
        try:
            for cells in reader:
                where = f"{path}:{reader.line_num}"
                if None in cells or None in cells.values():
                    raise RowError(where, "not as many cells as the first line has names", f": {cells}")
                yield cells, where
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise ConfigurationError(f"{path}: cannot be read after line {reader.line_num} ({error})") from error


def _json_rows(path: Path) -> Iterator[Tuple[JsonDict, str]]:
    """Of a JSON list of objects, or of JSON lines."""
    if path.name.endswith(_ROW_FILES):
        yield from ((row.content, row.where) for row in open_rows(path))
        return
    try:
        rows = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    except (ValueError, EOFError, OSError) as error:
        raise ConfigurationError(f"{path}: not valid JSON ({error}); JSON lines are .jsonl") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(f"{path}: not a JSON list of objects; JSON lines are .jsonl")
    yield from ((row, f"{path}: row {number}") for number, row in enumerate(rows, 1))


def is_saved_dataset(folder: Path) -> bool:
    """Whether `save_to_disk` wrote it."""
    return any((folder / name).is_file() for name in ("state.json", "dataset_dict.json"))


def load_saved(folder: Path, split: str) -> Any:
    """
    The `datasets.Dataset` of a folder that `save_to_disk` wrote.

    # Raises

    `ConfigurationError` if it has several splits, and not this one.
    """
    import datasets

    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:  # Whatever a damaged file gives.
        raise ConfigurationError(f"{folder}: cannot be read: {' '.join(f'{error}'.split())}") from error
    if isinstance(loaded, dict) and split not in loaded:
        raise ConfigurationError(f"{folder}: has no split {split!r}; there are {sorted(loaded)}")
    return loaded[split] if isinstance(loaded, dict) else loaded


def load(where: Any, **settings: Any) -> Any:
    """`datasets.load_dataset`, whose errors become a `ConfigurationError` that begins with `where`."""
    import datasets

    try:
        return datasets.load_dataset(**settings)
    except Exception as error:  # Whatever a network, a cache or a foreign file gives.
        raise ConfigurationError(f"{where}: {' '.join(f'{error.__cause__ or error}'.split())}") from error
