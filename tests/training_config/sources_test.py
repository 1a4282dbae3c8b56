"""The sources of weight ensembling: rows in the form of the targets', and training that stops early."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common import Params
from allennlp.data import DatasetReader

CONFIGS = Path(__file__).parents[2] / "training_config" / "weight_ensembling"
TASKS = {"boolq": ["yes", "no"], "sciq": ["red", "blue"]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The same rows as prompted rows, `rows/TASK/{train,dev}.jsonl`, and as a gym of few and of all rows, `gym`."""
    for task, answers in TASKS.items():
        rows = [(f"the {word} film ?", answer) for word in ("one", "two", "three") for answer in answers]
        for folder in ("rows", "gym"):
            (tmp_path / folder / task).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            path = tmp_path / "rows" / task / f"{split}.jsonl"
            path.write_text("".join(json.dumps({"input": text, "target": answer}) + "\n" for text, answer in rows))
            for name, some in ((f"{task}_fulldata_{split}", rows), (f"{task}_1_13_{split}", rows[:2])):
                path = tmp_path / "gym" / task / f"{name}.tsv"
                path.write_text("".join(f"{text}\t{answer}\n" for text, answer in some))
    return tmp_path


@pytest.fixture
def variables(data: Path, tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(**more: str) -> None:
        settings = {
            "TASKS": " ".join(TASKS),
            "MODEL_NAME": tiny_model("t5_sentinel"),
            "GYM": str(data / "gym"),
            "SHOTS": "1",
            "DELTA": "lora",
            "SIZE": "2",
            **more,
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    return put


def _read(block: Dict[str, Any], path: str) -> List[Any]:
    reader = DatasetReader.from_params(Params({**block, **({"answer": "first"} if "answer" in block else {})}))
    return [
        (instance["prompt_and_input"].human_readable_repr(), instance["answer_options"].human_readable_repr())
        for instance in reader.read(path)
    ]


@pytest.mark.parametrize(
    "changes, prompt, answer",
    [
        ({}, "[ boolq ] the one film ? </s>", "<extra_id_0> yes </s>"),
        ({"INPUT_PREFIX": "question : ", "ANSWER_PREFIX": ""}, "question : the one film ? </s>", "yes </s>"),
    ],
)
def test_sources_and_targets_are_written_in_one_form(
    changes: Dict[str, str],
    prompt: str,
    answer: str,
    variables: Any,
    data: Path,
    tiny_model: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables(TASK="boolq", SHOT_SEED="13", **changes)
    gym = Params.from_file(CONFIGS / "tune.jsonnet").as_dict()
    monkeypatch.setenv("ROWS", str(data / "rows"))
    source = Params.from_file(CONFIGS / "sources.jsonnet").as_dict()["steps"]["delta"]["environment"]
    for name, value in source.items():
        monkeypatch.setenv(name, value.replace("{TASK}", "boolq"))
    rows = Params.from_file(CONFIGS / "tune.jsonnet").as_dict()
    few = _read(gym["dataset_reader"], gym["train_data_path"])
    all_rows = _read(rows["dataset_reader"], rows["train_data_path"])
    assert len(all_rows) == 6 and all_rows[:2] == few
    tokens = json.loads((Path(tiny_model("t5_sentinel")) / "tokenizer.json").read_text())
    ids = {**tokens["model"]["vocab"], **{token["content"]: token["id"] for token in tokens["added_tokens"]}}
    wanted = [[ids.get(word, ids["<unk>"]) for word in text.split()] for text in (prompt, answer)]
    assert few[0] == (wanted[0], [wanted[1]])
    monkeypatch.setenv("GYM", "")
    monkeypatch.setenv("DELTAS", "/nowhere/*")
    for targets in (str(data / "gym"), str(data / "rows" / "*" / "train.jsonl")):  # What measures read, too.
        monkeypatch.setenv("TARGETS", targets)
        reader = Params.from_file(CONFIGS / "similarity.jsonnet").as_dict()["reader"]
        assert [reader.get(name) for name in ("input_prefix", "answer_prefix")] == [
            gym["dataset_reader"].get(name) for name in ("input_prefix", "answer_prefix")
        ]


@pytest.mark.parametrize("rows", [{}, {"ROWS": "rows", "VALIDATION_DATA_PATH": "rows/{TASK}/dev.jsonl"}])
def test_sources_stop_early(
    rows: Dict[str, str], variables: Any, data: Path, allennlp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: str(data / path) for name, path in rows.items()}
    variables(UPDATES="8", VALIDATE_EVERY="1", PATIENCE="1", TIES="false", LEARNING_RATE="0.0", **paths)
    result = allennlp("sweep", CONFIGS / "sources.jsonnet", "-s", data / "sources")
    assert result.status == 0, result.stderr
    for task in TASKS:
        folder = data / "sources" / "delta" / f"TASK={task}"
        metrics = json.loads((folder / "metrics.json").read_text())
        # The second validation is no better: the published metric of the task's dev rows.
        assert metrics["epoch"] == 1 and "best_validation_fewshot_gym" in metrics
        config = json.loads((folder / "config.json").read_text())
        assert config["validation_dataset_reader"]["task"] == task and config["data_loader"]["batch_size"] == 16
        assert (folder / "adapter_model.safetensors").is_file()


def test_rows_of_any_names_without_validation(variables: Any, data: Path, allennlp: Any) -> None:
    variables(ROWS=str(data / "gym" / "{TASK}" / "{TASK}_fulldata_test.tsv"), UPDATES="1", VALIDATE_EVERY="1")
    result = allennlp("sweep", CONFIGS / "sources.jsonnet", "-s", data / "sources")
    assert result.status == 0, result.stderr
    metrics = json.loads((data / "sources" / "delta" / "TASK=sciq" / "metrics.json").read_text())
    assert "validation_loss" not in metrics


def test_development_rows_without_rows(variables: Any, data: Path, allennlp: Any) -> None:
    variables(VALIDATION_DATA_PATH=str(data / "rows" / "{TASK}" / "dev.jsonl"))
    result = allennlp("sweep", CONFIGS / "sources.jsonnet", "-s", data / "sources")
    assert result.status == 1 and "VALIDATION_DATA_PATH is of ROWS, which is not set" in result.stderr
