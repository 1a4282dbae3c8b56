import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from attribution.common import row_writers
from attribution.common.row_writers import WRITERS
from attribution.common.rows import OFFSETS
from attribution.data.formats import open_rows

ROWS = [{"input": f"ü {n}", "target": "t" * n, "task": "a", "template": "", "id": str(n)} for n in range(25)]


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_what_is_written_is_read(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_writers, "ROWS_PER_GROUP", 10)
    rows = [{**row, "answer_choices": ["x", "y"]} if number % 2 else row for number, row in enumerate(ROWS)]
    path = tmp_path / f"pool.{format}"
    with WRITERS[format](path) as write:
        for row in rows:
            write(json.dumps(row, ensure_ascii=False).encode())
    found = [{key: value for key, value in row.content.items() if value is not None} for row in open_rows(path)]
    assert found == rows
    assert [row.content["id"] for row in open_rows(path).take([3, 24])] == ["3", "24"]
    if format == "parquet":
        assert pyarrow.parquet.ParquetFile(path).num_row_groups == 3


def test_the_index_is_where_lines_end(tmp_path: Path) -> None:
    with WRITERS["jsonl"](tmp_path / "pool.jsonl") as write:
        for line in (b"{}", b'{"a": 1}', b"{}"):
            write(line)
    assert np.load(tmp_path / f"pool.jsonl{OFFSETS}").tolist() == [3, 12, 15]
