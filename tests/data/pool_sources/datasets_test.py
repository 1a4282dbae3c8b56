import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import datasets
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.pool_sources import DatasetsSource, PoolSource
from tests.data.formats.row_files_test import write

ROWS: List[Dict[str, Any]] = [{"question": f"q{number}", "answer": "yes", "n": number} for number in range(5)]
FIELDS = {"question": "input", "answer": "target"}


def _saved(folder: Path) -> str:
    datasets.Dataset.from_list(ROWS).save_to_disk(folder)
    return str(folder)


def _saved_splits(folder: Path) -> str:
    split = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": split, "test": split.select([0])}).save_to_disk(folder)
    return str(folder)


def _parquet_folder(folder: Path) -> str:
    datasets.Dataset.from_list(ROWS).to_parquet(folder / "train" / "0000.parquet")
    datasets.Dataset.from_list(ROWS[:1]).to_parquet(folder / "test" / "0000.parquet")
    return str(folder)


def _csv_folder(folder: Path) -> str:
    folder.mkdir()
    datasets.Dataset.from_list(ROWS).to_csv(folder / "part.csv")
    return str(folder)


def _file(ending: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        folder.mkdir()
        path = folder / f"data.{ending}"
        split = datasets.Dataset.from_list(ROWS)
        if ending == "parquet":
            split.to_parquet(path)
        elif ending == "csv":
            split.to_csv(path)
        elif ending == "tsv":
            split.to_csv(path, sep="\t")
        else:
            split.to_json(path)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(
    "write", [_saved, _saved_splits, _parquet_folder, _csv_folder, *map(_file, ["parquet", "csv", "tsv", "jsonl"])]
)
def test_local_data(write: Callable[[Path], str], streaming: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "films")
    settings = {"type": "datasets", "path": path, "fields": FIELDS, "streaming": streaming}
    source = PoolSource.from_params(Params(settings))
    contents = [row.content for row in source.rows()]  # type: ignore[union-attr]
    name = Path(path).name.split(".")[0]
    assert contents == [
        {"input": f"q{n}", "target": "yes", "task": name, "template": "", "id": f"{name}|train||#{n}"} for n in range(5)
    ]
    assert source.inputs() and all(file.is_file() for file in source.inputs())


def test_a_part_of_a_folder(tmp_path: Path) -> None:
    _parquet_folder(tmp_path / "mirror" / "one")
    _parquet_folder(tmp_path / "mirror" / "two")
    source = DatasetsSource(str(tmp_path / "mirror"), data_dir="two", revision="any", split="test", fields=FIELDS)
    [row] = source.rows()
    assert source.inputs() == [tmp_path / "mirror" / "two" / split / "0000.parquet" for split in ("test", "train")]
    assert row.content["input"] == "q0"  # type: ignore[union-attr]
    assert row.where.startswith(str(tmp_path / "mirror"))  # type: ignore[union-attr]


def test_nothing_is_read_before_it_is_asked_for() -> None:
    source = DatasetsSource("some-one/some-dataset", name="short", task="t")
    assert (source.name, source.inputs(), source.total()) == ("some-dataset_short", [], None)


@pytest.mark.parametrize("write", [_saved_splits, _parquet_folder])
def test_a_split_that_is_not_there(write: Callable[[Path], str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="dev") as caught:
        list(DatasetsSource(write(tmp_path / "films"), split="dev", fields=FIELDS).rows())
    assert str(tmp_path / "films") in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="big.csv.gz: no such file or folder"):  # And not asked of a hub.
        DatasetsSource("big.csv.gz")
    with pytest.raises(ConfigurationError, match="/nowhere: no such file or folder"):
        DatasetsSource("/nowhere")
    (tmp_path / "data.txt").write_text("x")
    with pytest.raises(ConfigurationError, match="data.txt: not a file of rows; what is read"):
        list(DatasetsSource(str(tmp_path / "data.txt")).rows())
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + '{"question": \n')
    error = list(DatasetsSource(str(bad), fields=FIELDS).rows())[-1]
    assert isinstance(error, RowError) and str(error).startswith(f"{bad}:6: not valid JSON")


TEXTS = ["007", "01", "1.50", "1e5", "2012-01-01", "2012-01-01T00:00:00", "9" * 23, "True", "NA", "yes"]


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("in_folder", [True, False])
def test_texts_are_as_they_are_written(ending: str, in_folder: bool, tmp_path: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    rows = [{"input": text, "target": text, "task": "t", "id": text} for text in TEXTS]
    path = write(folder / f"train.{ending}", rows)
    source = DatasetsSource(str(folder if in_folder else path))
    assert [row.content for row in source.rows()] == [{**row, "template": ""} for row in rows]  # type: ignore[union-attr]
