import csv
import json
from pathlib import Path
from typing import Any, Dict, List

import datasets
import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonlRows, Row, RowError
from attribution.data.dataset_splits import DatasetSplits, SelectedRows, select_rows

ROWS: Dict[str, List[Dict[str, Any]]] = {
    "train": [{"text": f"train {n}", "label": n % 2} for n in range(30)],
    "validation": [{"text": f"validation {n}", "label": n % 2} for n in range(12)],
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.delenv("ATTRIBUTION_DATASETS", raising=False)


def _reference(split_name: str, val_size: int, use_val_split: bool, seed: int) -> List[str]:
    """The published rule, in the library that it was written with."""
    train, validation = (datasets.Dataset.from_list(ROWS[split]) for split in ("train", "validation"))
    if not use_val_split:
        chosen = {"train": train, "validation": validation}[split_name]
    elif len(validation) >= val_size:
        if split_name == "train":
            chosen = train
        else:
            parts = validation.train_test_split(train_size=val_size, seed=seed)
            chosen = parts["train" if split_name == "validation" else "test"]
    elif split_name == "test":
        chosen = validation
    else:
        chosen = train.train_test_split(test_size=val_size, seed=seed)["train" if split_name == "train" else "test"]
    if split_name == "train":
        chosen = chosen.shuffle(seed=seed)
    return chosen["text"][:]


@pytest.mark.parametrize(
    "split_name, val_size, use_val_split",
    [
        ("train", 5, False),
        ("validation", 5, False),
        *((name, size, True) for name in ("train", "validation", "test") for size in (5, 11, 20)),
    ],
)
@pytest.mark.parametrize("seed", [42, 7])
def test_index_for_index_as_datasets_draws(split_name: str, val_size: int, use_val_split: bool, seed: int) -> None:
    sizes = {split: len(rows) for split, rows in ROWS.items()}
    split, numbers = select_rows(split_name, sizes, use_val_split, val_size, seed)
    assert [ROWS[split][n]["text"] for n in numbers] == _reference(split_name, val_size, use_val_split, seed)


@pytest.mark.parametrize(
    "sizes, split_name, message",
    [
        # CB, COPA and WSC: fewer training rows than are asked for. ANLI r1: as many validation rows.
        ({"train": 250, "validation": 56}, "train", "val_size is 1000, and the train split.* has 250 rows"),
        ({"train": 250, "validation": 56}, "validation", "Lower val_size, or set use_val_split: false"),
        ({"train": 9, "validation": 1000}, "test", "val_size is 1000, and the validation split.* has 1000 rows"),
        ({"train": 9}, "test", "there is no validation split"),
        ({"train": 9}, "train", "there is no validation split"),
    ],
)
def test_impossible_divisions(sizes: Dict[str, int], split_name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        select_rows(split_name, sizes, use_val_split=True)


def test_what_needs_no_draw_works_at_any_size() -> None:
    assert select_rows("test", {"train": 250, "validation": 56}, True).numbers.tolist() == list(range(56))
    assert sorted(select_rows("train", {"train": 9, "validation": 1000}, True).numbers) == list(range(9))


def test_selected_rows_keep_their_order_and_numbers(write_jsonl: Any) -> None:
    rows = SelectedRows(JsonlRows(Path(write_jsonl("rows.jsonl", ROWS["train"]))), np.array([7, 3, 29, 0]))
    assert [row.number for row in rows] == [7, 3, 29, 0] and len(rows) == 4
    assert [row.content["text"] for row in rows.shard(1, 2)] == ["train 3", "train 0"]
    assert [row.number for row in rows.take([1, 2])] == [3, 29]
    assert next(iter(rows)).where.endswith("rows.jsonl:8")
    assert [path.name for path in rows.files()] == ["rows.jsonl"]


def _write(folder: Path, layout: str) -> None:
    for split, rows in ROWS.items():
        table = datasets.Dataset.from_list(rows)
        if layout == "jsonl":
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif layout == "csv":
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{split}.csv").open("w") as file:
                writer = csv.DictWriter(file, ["text", "label"])
                writer.writeheader()
                writer.writerows(rows)
        elif layout == "hub":
            table.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
        elif layout == "converted":
            table.to_parquet(folder / split / "0000.parquet")
    if layout == "saved":
        datasets.DatasetDict({split: datasets.Dataset.from_list(rows) for split, rows in ROWS.items()}).save_to_disk(
            folder
        )
    if layout == "arrow":
        datasets.Dataset.from_list(ROWS["validation"]).save_to_disk(folder / "saved")
        next((folder / "saved").glob("*.arrow")).rename(folder / "validation.arrow")


@pytest.mark.parametrize("layout", ["jsonl", "csv", "hub", "converted", "saved", "arrow"])
@pytest.mark.parametrize("where", ["path", "variable", "variable without a name", "data path"])
def test_local_folders(layout: str, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"variable": "glue/rte", "variable without a name": "glue"}.get(where, "somewhere")
    _write(tmp_path / name, layout)
    if where.startswith("variable"):
        monkeypatch.setenv("ATTRIBUTION_DATASETS", str(tmp_path))
    path = str(tmp_path / name) if where == "path" else "glue"
    splits = DatasetSplits(path, "rte", split_name="validation")
    rows = splits.open(str(tmp_path / name) if where == "data path" else "dummy")
    text = {"label": str} if layout == "csv" else {}
    expected = [
        {key: text.get(key, lambda value: value)(value) for key, value in row.items()} for row in ROWS["validation"]
    ]
    assert [row.content for row in rows] == expected
    assert [row.content["text"] for row in rows.take([1, 3])] == ["validation 1", "validation 3"]
    assert rows.files() and all(path.is_file() for path in rows.files())


def test_a_file_is_taken_as_it_is(write_jsonl: Any) -> None:
    path = write_jsonl("mine.jsonl", ROWS["train"])
    assert [row.content for row in DatasetSplits("glue", use_val_split=True).open(path)] == ROWS["train"]


def test_a_split_in_several_files(tmp_path: Path) -> None:
    for part in range(2):
        table = datasets.Dataset.from_list(ROWS["train"][15 * part : 15 * part + 15])
        table.to_parquet(tmp_path / "data" / f"train-{part:05}-of-00002.parquet")
    rows = DatasetSplits(str(tmp_path)).open()
    assert len(rows) == 30 and {row.content["text"] for row in rows} == {row["text"] for row in ROWS["train"]}
    assert len(rows.files()) > 0


def test_splits_under_other_names(tmp_path: Path) -> None:
    (tmp_path / "dev_r1.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "dev_r10.jsonl").write_text('{"text": "b"}\n')
    splits = DatasetSplits(str(tmp_path), splits={"validation": "dev_r1"}, split_name="validation")
    assert [row.content["text"] for row in splits.open()] == ["a"]


def test_the_hub_is_asked_for_parquet_files(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: List[Dict[str, Any]] = []

    def load_dataset(**settings: Any) -> Any:
        asked.append(settings)
        return datasets.Dataset.from_list(ROWS["train"])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert len(DatasetSplits("aps/super_glue", "rte").open()) == 30
    assert len(DatasetSplits("aps/super_glue", "rte", revision="main").open()) == 30
    files = {"data_files": "rte/train/*.parquet", "revision": "refs/convert/parquet", "split": "train"}
    assert asked[0] == {"path": "aps/super_glue", **files}
    assert asked[1] == {"path": "aps/super_glue", "name": "rte", "revision": "main", "split": "train"}


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**settings: Any) -> Any:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(ConfigurationError, match=r"hub's aps/super_glue rte: Couldn't reach.*S/aps/super_glue/rte/tr"):
        DatasetSplits("aps/super_glue", "rte").open()
    monkeypatch.setenv("ATTRIBUTION_DATASETS", str(tmp_path))
    with pytest.raises(ConfigurationError, match=rf"{tmp_path}/aps/super_glue/rte/train.jsonl"):
        DatasetSplits("aps/super_glue", "rte").open()
    with pytest.raises(ConfigurationError, match="split_name is 'dev'; the splits of glue are"):
        DatasetSplits("glue", split_name="dev")
    with pytest.raises(ConfigurationError, match="nowhere.jsonl: no such file or folder"):
        DatasetSplits("glue").open("nowhere.jsonl")
    _write(tmp_path / "glue", "jsonl")
    with pytest.raises(ConfigurationError, match=r"no file of the split 'test' .*there are \['train.jsonl'"):
        DatasetSplits("glue", split_name="test").open()
    with pytest.raises(ConfigurationError, match="val_size is 40, and the train split"):
        DatasetSplits("glue", use_val_split=True, val_size=40).open()
    (tmp_path / "glue" / "train.parquet").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"which of \['train.jsonl', 'train.parquet'\] is the split 'train'"):
        DatasetSplits("glue").open()


@pytest.mark.parametrize("val_size", [0, -3])
@pytest.mark.parametrize("split_name", ["train", "validation", "test"])
def test_val_size_is_at_least_one(val_size: int, split_name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"val_size is {val_size}; at least one"):
        select_rows(split_name, {"train": 9, "validation": 9}, True, val_size)


def test_other_configurations_of_a_data_set_do_not_hide_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "glue" / "rte", "jsonl")
    monkeypatch.setenv("ATTRIBUTION_DATASETS", str(tmp_path))
    monkeypatch.setattr(datasets, "load_dataset", lambda **settings: datasets.Dataset.from_list(ROWS["train"][:3]))
    assert len(DatasetSplits("glue", "rte").open()) == 30 and len(DatasetSplits("glue", "wic").open()) == 3


def test_what_was_saved_without_splits(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS["train"]).save_to_disk(tmp_path / "saved")
    with pytest.raises(ConfigurationError, match="saved: a data set without splits"):
        DatasetSplits(str(tmp_path / "saved")).open()
    # As a path it is what a file would be.
    assert len(DatasetSplits("glue", use_val_split=True).open(str(tmp_path / "saved"))) == 30
    [arrow] = (tmp_path / "saved").glob("*.arrow")
    arrow.write_bytes(arrow.read_bytes()[:50])
    with pytest.raises(ConfigurationError, match="saved: cannot be read"):
        DatasetSplits("glue").open(str(tmp_path / "saved"))


def test_a_loading_script_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "glue").mkdir()
    (tmp_path / "glue" / "glue.py").write_text("raise SystemExit\n")
    with pytest.raises(ConfigurationError, match=r"no file of the split 'train' .*there are \['glue.py'\]"):
        DatasetSplits(str(tmp_path / "glue")).open()


def test_rows_that_cannot_be_read_hide_no_others(tmp_path: Path) -> None:
    lines = [json.dumps({"n": number}) if number % 3 else "no JSON" for number in range(9)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    found = list(DatasetSplits(str(tmp_path)).open().each())
    assert sorted(row.content["n"] for row in found if isinstance(row, Row)) == [1, 2, 4, 5, 7, 8]
    assert [row.reason for row in found if isinstance(row, RowError)] == ["not valid JSON"] * 3
