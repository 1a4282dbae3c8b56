import gzip
import json
from pathlib import Path
from typing import Any, List

import pyarrow
import pyarrow.parquet
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import open_rows

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
    with pytest.raises(ConfigurationError, match="is a directory"):
        open_rows(tmp_path)
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(ConfigurationError, match=r"empty\.jsonl: the file is empty"):
        open_rows(empty)
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(_write(tmp_path, "jsonl.gz").read_bytes()[:-12])
    with pytest.raises(ConfigurationError, match=r"cut\.jsonl\.gz: truncated"):
        list(open_rows(cut))
    (tmp_path / "no.parquet").write_text("not parquet at all")
    with pytest.raises(ConfigurationError, match=r"no\.parquet: not a Parquet file"):
        open_rows(tmp_path / "no.parquet")
