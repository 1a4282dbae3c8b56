import gzip
import json
from pathlib import Path
from typing import Any, List

import pyarrow
import pyarrow.parquet
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.pool_sources import PoolRow, PoolSource, RowsSource

ROWS: List[Any] = [{"input": f"i{n}", "target": "t", "answer_choices": ["t", "u"] if n else None} for n in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "rows"
    folder.mkdir()
    text = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "a.jsonl").write_text(text)
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), folder / "c.parquet")
    (folder / "tasks.json").write_text("{}")
    return folder


def _rows(source: PoolSource) -> List[Any]:
    return list(source.rows())


@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl.gz", "c.parquet"])
def test_one_file(folder: Path, name: str) -> None:
    source = PoolSource.from_params(Params({"type": "rows", "path": str(folder / name), "template": "p"}))
    rows = _rows(source)
    assert [row.content["input"] for row in rows] == ["i0", "i1", "i2", "i3"]
    assert "answer_choices" not in rows[0].content and rows[1].content["answer_choices"] == ["t", "u"]
    assert rows[3].content["id"] == f"{name[0]}|train|p|#3" and rows[3].where == f"{folder / name}:4"
    assert source.total() == (4 if name == "c.parquet" else None)


def test_a_folder_is_all_its_files_by_name(folder: Path) -> None:
    source = RowsSource(str(folder))
    rows = _rows(source)
    assert [row.content["id"] for row in rows] == [f"rows|train||#{number}" for number in range(12)]
    assert rows[4].where == f"{folder / 'b.jsonl.gz'}:1"
    assert [path.name for path in source.inputs()] == ["a.jsonl", "b.jsonl.gz", "c.parquet"]


def test_bad_rows_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"input": \n{"input": "a", "target": "b"}\n')
    error, row = _rows(RowsSource(str(path)))
    assert isinstance(error, RowError) and error.reason == "not valid JSON"
    assert isinstance(row, PoolRow) and row.content["id"] == "bad|train||#1"


def test_wrong_settings(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere.jsonl: no such file"):
        RowsSource("/nowhere.jsonl")
    with pytest.raises(ConfigurationError, match=r"no file of rows in this folder; what is read: \.jsonl, \.json"):
        RowsSource(str(tmp_path))
    with pytest.raises(ConfigurationError, match="keep names 'task', which is a field of the pool"):
        RowsSource(str(folder), keep=["task"])
