import datetime
import gzip
import json
import os
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any, List

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common import rows as rows_module
from attribution.common.rows import OFFSETS, JsonlRows, Row, RowError, label_of, local_file, text_of
from attribution.data.formats import open_rows

CONTENT: List[Any] = [{"text": f"row {number}", "number": number} for number in range(25)]
CONTENT[3]["text"] = "a line\nbreak, ünïcode and \u2028 a separator that is no line end"


def _write(folder: Path, ending: str) -> Path:
    path = folder / f"rows.{ending}"
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in CONTENT)  # No newline at the end of the file.
    if ending == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(CONTENT), path, row_group_size=4)
    elif ending == "jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(params=["jsonl", "jsonl.gz", "parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return _write(tmp_path, request.param)


def test_every_row_in_order_with_its_number(path: Path) -> None:
    rows = list(open_rows(path))
    assert [row.content for row in rows] == CONTENT
    assert [row.number for row in rows] == list(range(25))
    assert rows[4].where == f"{path}:5"
    assert len(open_rows(path)) == 25


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_shards_are_a_partition(path: Path, count: int) -> None:
    shards = [[row.number for row in open_rows(path).shard(index, count)] for index in range(count)]
    assert all(number % count == index for index, shard in enumerate(shards) for number in shard)
    assert sorted(number for shard in shards for number in shard) == list(range(25))


def test_take_gives_the_named_rows(path: Path) -> None:
    rows = open_rows(path)
    assert [row.content["number"] for row in rows.take([0, 3, 4, 11, 24])] == [0, 3, 4, 11, 24]
    assert list(rows.take([])) == []
    with pytest.raises(ConfigurationError, match="has 25 rows; row 25 was asked for"):
        list(rows.take([2, 25]))
    with pytest.raises(ValueError, match="increasing"):
        list(rows.take([4, 2]))


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_malformed_json_names_file_and_line(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bad.{ending}"
    content = b'{"a": 1}\n{"a": \n[1, 2]\n'
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    with pytest.raises(ConfigurationError, match=rf"bad\.{ending}:2: not valid JSON"):
        list(open_rows(path))
    with pytest.raises(ConfigurationError, match=rf"bad\.{ending}:3: a row must be a JSON object, this is list"):
        list(open_rows(path).take([2]))


def test_missing_empty_truncated_and_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.jsonl: no such file"):
        open_rows(tmp_path / "nowhere.jsonl")
    with pytest.raises(ConfigurationError, match="no file of rows in this folder"):
        open_rows(tmp_path)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(ConfigurationError, match="no:where.jsonl: no such file, and no URL"):
        open_rows("no:where.jsonl")
    with pytest.raises(ConfigurationError, match=r"empty\.jsonl: the file is empty"):
        open_rows(empty)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(_write(tmp_path, "jsonl.gz").read_bytes()[:-12])
    with pytest.raises(ConfigurationError, match=r"cut\.jsonl\.gz: truncated"):
        list(open_rows(cut))
    (tmp_path / "no.parquet").write_text("not parquet at all")
    with pytest.raises(ConfigurationError, match=r"no\.parquet: not a Parquet file"):
        open_rows(tmp_path / "no.parquet")


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_each_gives_errors_in_the_place_of_bad_rows(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bad.{ending}"
    content = b'{"a": 1}\n{"a": \n[1, 2]\n{"a": "\xff"}\n{"a": 2}\n'
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    found = list(open_rows(path).each())
    assert [row.reason if isinstance(row, RowError) else row.content for row in found] == [
        {"a": 1},
        "not valid JSON",
        "a row must be a JSON object",
        "not valid JSON",
        {"a": 2},
    ]
    assert str(found[2]).startswith(f"{path}:3: ")


def test_each_ends_with_the_error_where_nothing_more_can_be_read(tmp_path: Path) -> None:
    whole = _write(tmp_path, "jsonl.gz").read_bytes()
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole[:-40])
    *rows, error = open_rows(cut).each()
    assert isinstance(error, RowError) and error.reason == "truncated or not a .gz file"
    assert f"after line {len(rows)}" in str(error) and not any(isinstance(row, RowError) for row in rows)
    parquet = _write(tmp_path, "parquet")
    assert [row.number for row in open_rows(parquet).each()] == list(range(25))  # type: ignore[union-attr]
    damaged = bytearray(parquet.read_bytes())
    damaged[4:200] = bytes(196)
    parquet.write_bytes(damaged)
    [error] = open_rows(parquet).each()
    assert isinstance(error, RowError) and error.reason == "damaged Parquet"


def test_a_flipped_byte_in_a_parquet_files_names(tmp_path: Path) -> None:
    """Of each name in its table of contents the first letter is no letter any more."""
    parquet = _write(tmp_path, "parquet")
    whole = parquet.read_bytes()
    messages = set()
    for place in range(len(whole)):
        if whole[place : place + 4] in (b"text", b"numb"):
            parquet.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
            try:
                open_rows(parquet)
            except ConfigurationError as error:
                messages.add(str(error).split(" (")[0])
    assert messages == {f"{parquet}: not a Parquet file, or a damaged one"}


def test_a_row_error_survives_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(RowError("here:1", "not valid JSON", " at all")))
    assert isinstance(error, ConfigurationError) and str(error) == "here:1: not valid JSON at all"


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"n": number}) + "\n" for number in range(25)))
    np.save(f"{path}{OFFSETS}", rows_module._scan_line_ends(path))
    return path


def test_an_index_beside_the_file_is_used(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "_scan_line_ends", None)
    rows = open_rows(indexed)
    assert len(rows) == 25
    assert [row.content["n"] for row in rows.take([0, 7, 24])] == [0, 7, 24]
    assert isinstance(rows, JsonlRows) and isinstance(rows._line_ends(), np.memmap)


@pytest.mark.parametrize("fault", ["older", "of a file before", "of another size", "cut short", "of another kind"])
def test_an_index_that_does_not_fit_is_not_used(indexed: Path, fault: str) -> None:
    beside = Path(f"{indexed}{OFFSETS}")
    if fault == "older":
        np.save(beside, np.array([3, indexed.stat().st_size]))
        os.utime(beside, ns=(0, indexed.stat().st_mtime_ns - 1))
    elif fault == "of a file before":
        np.save(beside, np.array([3, indexed.stat().st_size]))
        moved = indexed.with_name("moved")
        moved.write_bytes(indexed.read_bytes())
        os.utime(moved, ns=(0, 0))
        moved.replace(indexed)
    elif fault == "of another size":
        with indexed.open("a") as file:
            file.write('{"n": 25}\n')
        beside.touch()
    elif fault == "cut short":
        beside.write_bytes(beside.read_bytes()[:-9])
    else:
        np.save(beside, np.array([float(indexed.stat().st_size)]))
    rows = open_rows(indexed)
    assert len(rows) == 25 + (fault == "of another size")
    assert [row.content["n"] for row in rows.take([24])] == [24]


@pytest.mark.parametrize(
    "text, fine", [("bad \\ud800 text", False), ("good \\ud83d\\ude00 text", True), ("\\\\ud800", True)]
)
def test_half_a_character_names_its_line(text: str, fine: bool, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"input": "a"}\n{"input": "' + text + '"}\n')
    if fine:
        assert len(list(open_rows(path))) == 2
    else:
        with pytest.raises(RowError, match="rows.jsonl:2: half of a character"):
            list(open_rows(path))


def test_numbers_print_as_they_are_written_and_nan_is_null(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": [1.50, 1e5, 12345678901234567890123, 0.1, 1e400], "m": NaN, "k": [NaN], "i": -Infinity}\n')
    [row] = open_rows(path)
    numbers = row.content["n"]
    assert f"{numbers}" == "[1.50, 1e5, 12345678901234567890123, 0.1, 1e400]" and f"{numbers[0]}" == "1.50"
    assert numbers[0] + numbers[1] == 100001.5 and json.dumps(numbers[:2]) == "[1.5, 100000.0]"
    assert row.content["m"] is None and row.content["k"] == [None] and str(row.content["i"]) == "-Infinity"
    assert str(pickle.loads(pickle.dumps(numbers[0]))) == "1.50"


def test_nan_of_a_table_is_null(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    rows: List[Any] = [{"n": 1.5, "m": [float("nan"), 2.0], "t": "nan"}, {"n": float("nan"), "m": None, "t": None}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    contents = [row.content for row in open_rows(path)]
    assert contents == [{"n": 1.5, "m": [None, 2.0], "t": "nan"}, {"n": None, "m": None, "t": None}]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz"])
def test_byte_order_mark_and_blank_lines_at_the_end(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.{ending}"
    content = b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}\r\n\r\n  \n'
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    rows = open_rows(path)
    assert [row.content["a"] for row in rows] == [1, 2] and len(open_rows(path)) == 2
    assert [row.content["a"] for row in open_rows(path).take([0, 1])] == [1, 2]


def test_a_blank_line_between_rows_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"a": 2}\n')
    with pytest.raises(RowError, match=r"rows\.jsonl:2: a blank line"):
        list(open_rows(path))
    assert len(open_rows(path)) == 3


def test_class_names_of_a_parquet_file(tmp_path: Path) -> None:
    import datasets

    names = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features({"label": names, "labels": datasets.List(names), "text": datasets.Value("string")})
    columns = {"label": [0, 1], "labels": [[0], [1, 0]], "text": ["a", "b"]}
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "rows.parquet")
    rows = open_rows(tmp_path / "rows.parquet")
    assert rows.class_names("label") == rows.class_names("labels") == ["no", "yes"] and rows.class_names("text") == []
    assert open_rows(_write(tmp_path, "parquet")).class_names("label") == []


def test_numbers_and_dates_of_typed_columns_are_texts_as_one_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "typed.parquet"
    columns = {
        "single": pyarrow.array([0.1, None, 1e10], pyarrow.float32()),
        "double": pyarrow.array([0.1, 2.5, None]),
        "price": pyarrow.array([Decimal("1.50"), Decimal("0.00"), None]),
        "day": pyarrow.array([datetime.date(2024, 1, 2), None, None]),
        "at": pyarrow.array([datetime.datetime(2024, 1, 2, 3, 4), None, None]),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    rows = [{name: text_of(value) for name, value in row.content.items()} for row in open_rows(path)]
    empty = dict.fromkeys(columns)
    assert rows == [
        {"single": "0.1", "double": "0.1", "price": "1.50", "day": "2024-01-02", "at": "2024-01-02 03:04:00"},
        {**empty, "double": "2.5", "price": "0.00"},
        {**empty, "single": "10000000000.0"},
    ]


def test_names_of_tasks() -> None:
    for value, label in (("boolq", "boolq"), (0, "0"), (1.5, "1.5"), (True, "true"), (None, ""), ("", "")):
        assert label_of(Row(0, {"task": value}, "rows.jsonl:1"), "task") == label
    for value in ([], [None], {}, {"a": 1}):
        with pytest.raises(RowError, match="rows.jsonl:1: `task` is not a text: "):
            label_of(Row(0, {"task": value}, "rows.jsonl:1"), "task")


def test_no_path_of_a_file() -> None:
    with pytest.raises(ConfigurationError, match="the path of the covariance's .npz file is empty"):
        local_file("", "covariance's .npz")
