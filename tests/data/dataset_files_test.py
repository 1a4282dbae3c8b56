from pathlib import Path
from typing import Any

import datasets
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_files import DatasetRows, arrow_rows, data_files, load, load_saved


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_rows_of_a_data_set() -> None:
    names = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features(
        {"n": datasets.Value("float32"), "label": names, "labels": datasets.List(names), "t": datasets.Value("string")}
    )
    columns = {"n": [0, float("nan"), 2], "label": [0, 1, 0], "labels": [[0], [], [1]], "t": ["a", "b", "c"]}
    rows = DatasetRows(Path("hub/id"), datasets.Dataset.from_dict(columns, features=features))
    assert len(rows) == 3 and [row.content["n"] for row in rows] == [0, None, 2]
    assert [row.number for row in rows.shard(1, 2)] == [1]
    assert [row.where for row in rows.take([0, 2])] == ["hub/id:1", "hub/id:3"]
    assert rows.class_names("label") == rows.class_names("labels") == ["no", "yes"]
    assert rows.class_names("t") == rows.class_names("other") == []
    with pytest.raises(ConfigurationError, match="has 3 rows; row 3 was asked for"):
        list(rows.take([3]))


def test_files_of_a_split(write_jsonl: Any, tmp_path: Path) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test"):
        write_jsonl(f"{name}.jsonl", [{"n": 1}])
    names = [path.name for path in data_files("here", {"path": str(tmp_path), "split": "train"})]
    assert names == ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"]
    with pytest.raises(ConfigurationError, match=r"here: has no split 'dev'; there are \['test', 'train'\]"):
        data_files("here", {"path": str(tmp_path), "split": "dev"})


def test_mistakes(tmp_path: Path) -> None:
    (tmp_path / "rows.arrow").write_text("no Arrow")
    with pytest.raises(ConfigurationError, match="^.*rows.arrow: "):
        arrow_rows(tmp_path / "rows.arrow")
    with pytest.raises(ConfigurationError, match="here: "):
        load("here", path=str(tmp_path / "nowhere"))
    datasets.DatasetDict({"train": datasets.Dataset.from_dict({"n": [1]})}).save_to_disk(tmp_path / "saved")
    with pytest.raises(ConfigurationError, match=r"saved: has no split 'test'; there are \['train'\]"):
        load_saved(tmp_path / "saved", "test")
