import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import GzipJsonlRows, JsonlRows
from attribution.data.dataset_files import DatasetRows, is_dataset_file, load, load_saved, open_dataset_files


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_rows_of_a_data_set() -> None:
    names = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features(
        {"n": datasets.Value("int64"), "label": names, "labels": datasets.List(names), "t": datasets.Value("string")}
    )
    columns = {"n": [0, 1, 2], "label": [0, 1, 0], "labels": [[0], [], [1]], "t": ["a", "b", "c"]}
    rows = DatasetRows(Path("hub/id"), datasets.Dataset.from_dict(columns, features=features))
    assert len(rows) == 3 and [row.content["n"] for row in rows] == [0, 1, 2]
    assert [row.number for row in rows.shard(1, 2)] == [1]
    assert [row.where for row in rows.take([0, 2])] == ["hub/id:1", "hub/id:3"]
    assert rows.class_names("label") == rows.class_names("labels") == ["no", "yes"]
    assert rows.class_names("t") == rows.class_names("other") == []
    with pytest.raises(ConfigurationError, match="has 3 rows; row 3 was asked for"):
        list(rows.take([3]))


@pytest.mark.parametrize("ending, kind", [("jsonl", JsonlRows), ("jsonl.gz", GzipJsonlRows), ("csv", DatasetRows)])
def test_local_files(ending: str, kind: Any, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    lines = "text\na\n" if ending == "csv" else json.dumps({"text": "a"}) + "\n"
    path.write_bytes(gzip.compress(lines.encode()) if ending.endswith("gz") else lines.encode())
    rows = open_dataset_files([path])
    assert isinstance(rows, kind) and [row.content for row in rows] == [{"text": "a"}]
    assert rows.files() == [path] and is_dataset_file(path)
    assert not is_dataset_file(tmp_path) and not is_dataset_file(tmp_path / "rows.jsonl.offsets.npy")


def test_mistakes(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("a")
    with pytest.raises(ConfigurationError, match=r"rows.txt: of its ending no reader is known; there are \['arrow'"):
        open_dataset_files([tmp_path / "rows.txt"])
    (tmp_path / "rows.parquet").write_text("no parquet")
    with pytest.raises(ConfigurationError, match="^.*rows.parquet: "):
        open_dataset_files([tmp_path / "rows.parquet"])
    with pytest.raises(ConfigurationError, match="here: "):
        load("here", path=str(tmp_path / "nowhere"))
    datasets.DatasetDict({"train": datasets.Dataset.from_dict({"n": [1]})}).save_to_disk(tmp_path / "saved")
    with pytest.raises(ConfigurationError, match=r"saved: has no split 'test'; there are \['train'\]"):
        load_saved(tmp_path / "saved", "test")
