import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, List

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution.common.rows import JsonlRows, ParquetRows, Row, RowError, Rows
from attribution.data.dataset_files import DatasetRows
from attribution.data.formats import is_row_file, open_rows
from attribution.data.formats.delimited import DelimitedRows
from attribution.data.formats.json_rows import CompressedJsonlRows, JsonListRows
from attribution.data.formats.row_files import ChainedRows
from tests.common.compression_test import compressed

ROWS: List[Dict[str, Any]] = [{"text": f"row {number}", "n": str(number)} for number in range(7)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def write(path: Path, rows: List[Dict[str, Any]] = ROWS) -> Path:
    kind = path.name.partition(".")[2]
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)
    elif kind == "arrow":
        with pyarrow.ipc.new_stream(str(path), (table := pyarrow.Table.from_pylist(rows)).schema) as file:
            file.write_table(table)
    else:
        layout, _, compression = kind.partition(".")
        separator = {"csv": ",", "tsv": "\t"}.get(layout, "")
        if separator:
            text = "\n".join(
                separator.join(line) for line in [list(rows[0]), *(map(str, row.values()) for row in rows)]
            )
        elif layout == "json":
            text = json.dumps(rows)
        else:
            text = "\n".join(map(json.dumps, rows))
        path.write_bytes(compressed(f".{compression}" if compression else "", text.encode()))
    return path


KINDS: Dict[str, Any] = {
    "jsonl": JsonlRows,
    "ndjson": JsonlRows,
    "jsonl.gz": CompressedJsonlRows,
    "jsonl.bz2": CompressedJsonlRows,
    "jsonl.zst": CompressedJsonlRows,
    "json": JsonListRows,
    "json.zst": JsonListRows,
    "csv": DelimitedRows,
    "csv.bz2": DelimitedRows,
    "tsv.zst": DelimitedRows,
    "parquet": ParquetRows,
    "arrow": DatasetRows,
}


@pytest.mark.parametrize("ending", KINDS)
def test_every_format(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"rows.{ending}")
    rows = open_rows(path)
    assert isinstance(rows, KINDS[ending]) and is_row_file(path) and rows.files() == [path]
    assert [row.content for row in rows] == ROWS and len(rows) == 7
    assert [row.number for row in rows.shard(1, 3)] == [1, 4]
    assert [row.content["n"] for row in rows.take([2, 5])] == ["2", "5"]


@pytest.mark.parametrize("name", ["rows", "rows.txt"])
def test_json_by_looking(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("\n".join(map(json.dumps, ROWS)))
    assert isinstance(open_rows(tmp_path / name), JsonlRows)
    (tmp_path / name).write_text(json.dumps(ROWS))
    assert isinstance(open_rows(tmp_path / name), JsonListRows)


def test_json_lines_of_any_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    for rows in (ROWS, ROWS[:1]):
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
        assert [row.content for row in open_rows(path)] == rows
    path.write_text('{"a": \n{"a": 2}\n')
    with pytest.raises(ConfigurationError, match=r"rows\.json:1: not valid JSON"):
        list(open_rows(path))
    path.write_text('{\n "a": \n')
    with pytest.raises(ConfigurationError, match=r"rows\.json: not valid JSON"):
        open_rows(path)


def _rows(folder: Path) -> Rows:
    folder.mkdir()
    write(folder / "a.jsonl", ROWS[:3])
    write(folder / "b.parquet", ROWS[3:4])
    write(folder / "c.csv.gz", ROWS[4:])
    (folder / "tasks.json").write_text("[]")
    (folder / "a.jsonl.offsets.npy").touch()
    return open_rows(folder)


def test_a_folder_is_its_files_one_after_the_other(tmp_path: Path) -> None:
    rows = _rows(tmp_path / "rows")
    assert isinstance(rows, ChainedRows) and [path.name for path in rows.files()] == [
        "a.jsonl",
        "b.parquet",
        "c.csv.gz",
    ]
    assert [row.content for row in rows] == ROWS and len(rows) == 7
    assert [row.number for row in rows] == list(range(7)) == [row.number for row in rows.each()]  # type: ignore[union-attr]
    assert [row.content["n"] for row in rows.take([1, 3, 6])] == ["1", "3", "6"]


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_shards_of_a_folder_are_a_partition(count: int, tmp_path: Path) -> None:
    rows = _rows(tmp_path / "rows")
    shards = [[row.number for row in rows.shard(index, count)] for index in range(count)]
    assert all(number % count == index for index, shard in enumerate(shards) for number in shard)
    assert sorted(sum(shards, [])) == list(range(7))


def test_a_bad_row_keeps_the_numbers_of_those_after_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"n": 0}\nno JSON\n')
    (tmp_path / "b.jsonl").write_text('{"n": 2}\n')
    good = [row.number for row in open_rows(tmp_path).each() if hasattr(row, "number")]
    assert good == [0, 2]


def test_a_folder_of_lists(tmp_path: Path) -> None:
    write(tmp_path / "a.json", ROWS[:3])
    write(tmp_path / "b.json", ROWS[3:])
    assert [row.content for row in open_rows(tmp_path)] == ROWS


def test_a_folder_of_several_splits(tmp_path: Path) -> None:
    for name in ("train-00000.jsonl", "train-00001.jsonl", "a_testament.jsonl"):
        write(tmp_path / name)
    assert len(open_rows(tmp_path)) == 21
    write(tmp_path / "films_test.csv")
    with pytest.raises(ConfigurationError, match="has rows of several splits, test and train; name a file, or say"):
        open_rows(tmp_path)


def test_what_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a note")
    with pytest.raises(ConfigurationError, match=r"notes\.txt: not a file of rows; what is read: \.jsonl, .*\.zst"):
        open_rows(tmp_path / "notes.txt")
    with pytest.raises(ConfigurationError, match="no file of rows in this folder; what is read: .jsonl"):
        open_rows(tmp_path)
    (tmp_path / "rows.parquet.gz").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="rows.parquet.gz: .parquet is compressed inside"):
        open_rows(tmp_path / "rows.parquet.gz")
    assert not is_row_file(tmp_path) and not is_row_file(tmp_path / "rows.jsonl.offsets.npy")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(KINDS.keys() - {"arrow"})), st.data())
def test_a_damaged_file_gives_rows_or_is_refused(ending: str, data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / f"rows.{ending}")
        content = path.read_bytes()
        place, cut = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 40))
        path.write_bytes(content[:place] + data.draw(st.binary(max_size=20)) + content[place + cut :])
        try:
            found = list(open_rows(path).each())
        except ConfigurationError:
            return
        assert all(isinstance(row, (Row, RowError)) for row in found)


def test_files_of_a_folder_that_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.jsonl", "B.JSONL", "notes.json", "c.jsonl.xz", "README.md", "manifest.json"):
        (tmp_path / name).write_text('{"a": 1}\n')
    assert len(list(open_rows(tmp_path))) == 2
    assert "2 other files are left out, the first: c.jsonl.xz, notes.json" in caplog.text
