"""The same rows in every format, through every reader and source."""

import csv
import io
import json
import math
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import pyarrow
import pyarrow.parquet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attribution.data.dataset_readers import P3JsonlReader, TemplateReader
from attribution.data.dataset_splits import DatasetSplits
from attribution.data.pool_sources import DatasetsSource, PoolRow, PoolSource, RowsSource, TemplatesSource
from tests.common.compression_test import compressed

Rows = List[Dict[str, Any]]

FIELDS = ("input", "target", "hint")
WRITTEN = [
    "007",
    "01",
    "1.50",
    "1e5",
    "2012-01-01",
    "2012-01-01T00:00:00Z",
    "9" * 23,
    "NA",
    "null",
    "true",
    "-0",
    "nan",
]
QUOTED = [
    '"',
    '""',
    '"a',
    'a"',
    '"a" b',
    '"a","b"',
    "'",
    "a,b",
    "a\tb",
    "a\nb",
    "a\r\nb",
    "\ufeffa",
    "{",
    "[",
    "|||",
    "\\N",
]
TEXTS = st.sampled_from(WRITTEN + QUOTED) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
CELLS = TEXTS | st.none() | st.just(math.nan)
# As a label 0 or 1 would be the place of an option.
NUMBERS = st.integers(min_value=2) | st.integers(max_value=-1) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"input": CELLS | NUMBERS, "target": CELLS | NUMBERS | st.booleans(), "hint": CELLS}
    ),
    min_size=1,
    max_size=6,
)


def _missing(cell: Any) -> bool:
    return cell is None or cell != cell


def _written(cell: Any) -> str:
    return cell if isinstance(cell, str) else json.dumps(cell)


def _jsonl(rows: Rows) -> Optional[bytes]:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def _windows_jsonl(rows: Rows) -> Optional[bytes]:
    return ("\ufeff" + "".join(json.dumps(row) + "\r\n" for row in rows) + "\r\n").encode()


def _list(rows: Rows) -> Optional[bytes]:
    return ("\ufeff" + json.dumps(rows, indent=2, ensure_ascii=False)).encode()


def _parquet(rows: Rows) -> Optional[bytes]:
    cells = [[None if _missing(row.get(field)) else _written(row[field]) for row in rows] for field in FIELDS]
    return _table([pyarrow.array(column, pyarrow.string()) for column in cells])


def _bytes_parquet(rows: Rows) -> Optional[bytes]:
    cells = [[None if _missing(row.get(field)) else _written(row[field]).encode() for row in rows] for field in FIELDS]
    return _table([pyarrow.array(column, pyarrow.binary()) for column in cells])


def _typed_parquet(rows: Rows) -> Optional[bytes]:
    """A column has one type, and its whole numbers have 64 bits."""
    cells = [[None if _missing(row.get(field)) else row[field] for row in rows] for field in FIELDS]
    if any(len({type(cell) for cell in column} - {type(None)}) > 1 for column in cells):
        return None
    if any(isinstance(cell, int) and abs(cell) >= 1 << 63 for column in cells for cell in column):
        return None
    return _table([pyarrow.array(column) for column in cells])


def _table(columns: List[Any]) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns, FIELDS), sink)
    return sink.getvalue()


def _csv(rows: Rows) -> Optional[bytes]:
    """It has no missing cells."""
    if any(_missing(row.get(field)) for row in rows for field in FIELDS):
        return None
    text = io.StringIO(newline="")
    csv.writer(text).writerows([FIELDS, *([_written(row[field]) for field in FIELDS] for row in rows)])
    return ("\ufeff" + text.getvalue() + "\r\n").encode()


def _tsv(rows: Rows) -> Optional[bytes]:
    """Nor has it line ends and tabs."""
    if any(_missing(row.get(field)) for row in rows for field in FIELDS):
        return None
    cells = [[_written(row[field]) for field in FIELDS] for row in rows]
    if any(set(cell) & set("\t\n\r") for line in cells for cell in line):
        return None
    return ("\ufeff" + "".join("\t".join(line) + "\r\n" for line in [[*FIELDS], *cells])).encode()


FORMATS: Dict[str, Tuple[str, Callable[[Rows], Optional[bytes]]]] = {
    "jsonl": ("", _jsonl),
    "jsonl.gz": (".gz", _windows_jsonl),
    "json": ("", _list),
    "json.bz2": (".bz2", _list),
    "jsonl.zst": (".zst", _jsonl),
    "parquet": ("", _parquet),
    "bytes.parquet": ("", _bytes_parquet),
    "typed.parquet": ("", _typed_parquet),
    "csv": ("", _csv),
    "csv.zst": (".zst", _csv),
    "tsv": ("", _tsv),
    "tsv.gz": (".gz", _tsv),
}
TEMPLATES = {
    "plain": "{{input}} {% if hint %}({{hint}}){% endif %} ||| {{target}}",
    "whole": "{{input}} {{hint}} ||| {{target}}",
}


OF_TEXTS = ("rows", "datasets", "p3_jsonl")
"""Readers that take fields as they stand."""

OF_TRUTHS = ("jsonl", "jsonl.gz", "json", "json.bz2", "jsonl.zst", "typed.parquet", "shards")
"""Formats whose truths are no texts."""


class Found(NamedTuple):
    """What became of the rows."""

    texts: List[Any]
    """Of those that were used."""
    counts: Dict[str, int]
    """The others, by reason."""


def _of_source(source: PoolSource) -> Found:
    texts: List[Any] = []
    counts: Dict[str, int] = {}
    for item in source.rows():
        if isinstance(item, PoolRow):
            texts.append([item.content[name] for name in ("input", "target", "template", "id")])
        else:
            counts[item.reason] = counts.get(item.reason, 0) + 1
    return Found(texts, counts)


def _of_reader(reader: Any, path: str) -> Found:
    texts = [[part.input, part.options, part.answer, part.row] for part in reader.examples(path, skip_bad_rows=True)]
    return Found(texts, {reason: count for reason, count in reader.counts.items() if reason.startswith("rows skipped")})


def _of_split(path: str) -> Found:
    """As readers of data sets find their rows, here in a random order."""
    folder = Path(f"{path}.split")
    folder.mkdir()
    for file in sorted(Path(path).iterdir()) if Path(path).is_dir() else [Path(path)]:
        shutil.copy(file, folder / file.name.replace("rows", "train"))
    reader = TemplateReader("unused", "{{input}}", ["{{target}}"], "target", dataset=DatasetSplits(str(folder)))
    return _of_reader(reader, "dummy")


def _raw(kind: Any, path: str) -> PoolSource:
    return TemplatesSource(kind(path), TEMPLATES, task="t")  # type: ignore[arg-type]


READERS: Dict[str, Callable[[str], Found]] = {
    "rows": lambda path: _of_source(RowsSource(path, task="t")),
    "datasets": lambda path: _of_source(DatasetsSource(path, task="t")),
    "templates over rows": lambda path: _of_source(_raw(RowsSource, path)),
    "templates over datasets": lambda path: _of_source(_raw(DatasetsSource, path)),
    "p3_jsonl": lambda path: _of_reader(P3JsonlReader("unused"), path),
    "prompted_reader": lambda path: _of_reader(
        TemplateReader("unused", "{{input}}{% if hint %} {{hint}}{% endif %}", ["{{target}}", "7"], "target"), path
    ),
    "the split of a data set": _of_split,
}


def _found(rows: Rows) -> Dict[str, Dict[str, Found]]:
    """By reader and format."""
    found: Dict[str, Dict[str, Found]] = {}
    with TemporaryDirectory() as folder:
        for ending, (compression, encode) in FORMATS.items():
            content = encode(rows)
            if content is not None:
                path = Path(folder) / f"rows.{ending}"
                path.write_bytes(compressed(compression, content))
                for name, read in READERS.items():
                    found.setdefault(name, {})[ending] = read(str(path))
        if len(rows) > 1:
            shards = Path(folder) / "shards"
            shards.mkdir()
            for number, part in enumerate((rows[:1], rows[1:])):
                (shards / f"rows-{number}.jsonl").write_bytes(_jsonl(part) or b"")
            for name, read in READERS.items():
                if "datasets" not in name:  # It takes its time to look for the files of a split.
                    found[name]["shards"] = read(str(shards))
    return found


@settings(max_examples=50, deadline=None)
@given(ROWS)
@example([{"input": '"a', "target": "007", "hint": ""}, {"input": "b", "target": 'c"', "hint": "2012-01-01"}])
@example([{"input": 1.50, "target": True}, {"input": "a", "target": False}, {"input": 2e22, "target": 12}])
@example(
    [{"input": "a", "target": "b", "hint": "c"}, {"input": "a", "target": None}, {"target": math.nan, "hint": "c"}]
)
def test_the_same_rows_in_every_format(rows: Rows) -> None:
    written = " ".join(str(cell) for row in rows for cell in row.values() if not _missing(cell))
    has_truths = any(isinstance(cell, bool) for row in rows for cell in row.values())
    for name, by_format in _found(rows).items():
        if has_truths and name not in OF_TEXTS:  # Jinja writes True where there is a truth, and not its text.
            by_format = {ending: by_format[ending] for ending in by_format if ending in OF_TRUTHS}
        first = next(iter(by_format.values()))
        assert by_format == {ending: first for ending in by_format}, name
        prompts = len(rows) * (len(TEMPLATES) if name.startswith("templates") else 1)
        assert len(first.texts) + sum(first.counts.values()) == prompts, name
        texts = " ".join(str(text) for parts in first.texts for text in parts)
        for word in ("None", "nan", "NaN", "null", "NaT", "built-in", "Undefined"):
            assert word not in texts or word in written, name
