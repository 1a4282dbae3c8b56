import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import datasets
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import GzipJsonlRows, JsonlRows, LoadedRows
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


@pytest.mark.parametrize("ending, kind", [("jsonl", JsonlRows), ("jsonl.gz", GzipJsonlRows), ("csv", LoadedRows)])
def test_local_files(ending: str, kind: Any, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    lines = "text\na\n" if ending == "csv" else json.dumps({"text": "a"}) + "\n"
    path.write_bytes(gzip.compress(lines.encode()) if ending.endswith("gz") else lines.encode())
    rows = open_dataset_files([path])
    assert isinstance(rows, kind) and [row.content for row in rows] == [{"text": "a"}]
    assert rows.files() == [path] and is_dataset_file(path)
    assert not is_dataset_file(tmp_path) and not is_dataset_file(tmp_path / "rows.jsonl.offsets.npy")


CELLS = ["NA", "", "null", "007", "1.50", "1e5", "2012-01-01", 'a "quoted", word', "two\nlines"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "json", "json.gz"])
def test_cells_are_the_texts_that_they_are(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"rows.{ending}"
    text = io.StringIO(newline="")
    if "json" in ending:
        json.dump([{"n": str(n), "text": cell} for n, cell in enumerate(CELLS)], text)
    else:
        writer = csv.writer(text, delimiter="\t" if ending == "tsv" else ",")
        writer.writerows([["n", "text"], *([n, cell] for n, cell in enumerate(CELLS))])
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    rows = list(open_dataset_files([path]))
    assert [row.content["text"] for row in rows] == CELLS
    assert [row.content["n"] for row in rows] == [str(n) for n in range(len(CELLS))]
    assert rows[0].where == (f"{path}: row 1" if "json" in ending else f"{path}:2")


def test_several_files_are_one_after_the_other(write_jsonl: Any) -> None:
    paths = [Path(write_jsonl(f"train-{part}.jsonl", [{"day": f"2012-01-0{part}"}])) for part in (1, 2)]
    rows = open_dataset_files(paths)
    assert [row.content["day"] for row in rows] == ["2012-01-01", "2012-01-02"] and rows.files() == paths


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("rows.csv", "a,b\n1,2\n3\n", r"rows.csv:3: not as many cells as the first line has names"),
        ("rows.csv", "a,b\n1,2,3\n", r"rows.csv:2: not as many cells"),
        ("rows.csv.gz", "no gzip", r"rows.csv.gz: cannot be read after line 0"),
        ("rows.json", '{"a": 1}\n{"a": 2}\n', r"rows.json: not valid JSON .*JSON lines are .jsonl"),
        ("rows.json", '{"a": 1}', r"rows.json: not a JSON list of objects"),
    ],
)
def test_bad_text_files(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        open_dataset_files([tmp_path / name])


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
