"""Weight ensembling's tuning on a tiny gym: what the variables change, and what a run leaves."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common import Params
from allennlp.training import TrainerCallback
from safetensors.torch import load_file

from tests.commands.train_test import InterruptOnce
from tests.models.conftest import make_model

CONFIG = Path(__file__).parents[2] / "training_config" / "weight_ensembling" / "tune.jsonnet"

# Ten rows, and batches of four: an epoch of three updates ends among them.
ROWS = [f"{word} film ?\t{'good' if number % 2 else 'bad'}" for number, word in enumerate(
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
)]  # fmt: skip


@TrainerCallback.register("watch_updates")
class WatchUpdates(TrainerCallback):
    """Learning rates, and what was read, by update."""

    rates: List[float] = []
    prompts: List[List[str]] = []
    answers: List[List[str]] = []

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        for seen in (self.rates, self.prompts, self.answers):
            seen.clear()

    def on_batch(self, trainer: Any, batch_inputs: Any, *args: Any, is_training: bool, **kwargs: Any) -> None:
        if is_training:
            self.rates.append(trainer.optimizer.param_groups[0]["lr"])
            for seen, field in ((self.prompts, "prompt_and_input"), (self.answers, "answer_options")):
                texts = [text for batch in batch_inputs for text in batch[field]["token_ids"].tolist()]
                seen.append([str([token for token in text if token]) for text in texts])


def _write_gym(folder: Path, lines: List[str] = ROWS) -> Path:
    for task in ("boolq", "sst2"):
        (folder / task).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            (folder / task / f"{task}_8_13_{split}.tsv").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture
def tune(
    tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> Callable[..., Dict[str, Any]]:
    """(name of the run, further variables) -> its metrics."""
    _write_gym(tmp_path / "gym")

    def run(name: str, *arguments: str, **variables: str) -> Dict[str, Any]:
        settings = {
            "GYM": str(tmp_path / "gym"),
            "TASK": "boolq",
            "MODEL_NAME": tiny_model("t5_gated"),
            "UPDATES": "6",
            "VALIDATE_EVERY": "3",
            "BATCH_SIZE": "4",
            "LEARNING_RATE": "0.01",
            **variables,
        }
        with monkeypatch.context() as patch:
            for variable, value in settings.items():
                patch.setenv(variable, value)
            callbacks = json.dumps({"trainer.callbacks": ["save_delta", "ties_improve", "watch_updates"]})
            more = arguments or (() if variables.get("UPDATES") == "0" else ("-o", callbacks))
            result = allennlp("train", CONFIG, "-s", tmp_path / name, *more)
        assert result.status == 0, result.stderr
        return json.loads((tmp_path / name / "metrics.json").read_text())

    return run


def test_validations_and_the_schedule_are_by_updates_and_all_rows_are_seen(tune: Any, tmp_path: Path) -> None:
    metrics = tune("run", UPDATES="9", WARMUP="4")
    assert metrics["epoch"] == 2 and {"validation_fewshot_gym", "best_validation_fewshot_gym"} <= set(metrics)
    rates = [0.0025, 0.005, 0.0075, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]
    assert WatchUpdates.rates == pytest.approx(rates)
    # Each pass over the ten rows is three batches: nine updates see each three times, in other orders.
    passes = [sum(WatchUpdates.prompts[first : first + 3], []) for first in (0, 3, 6)]
    assert all(len(set(one)) == len(one) == 10 for one in passes) and passes[0] != passes[1] != passes[2]
    assert (tmp_path / "run" / "adapter_config.json").is_file()


def test_an_epoch_that_ends_among_the_rows_goes_on_there(tune: Any) -> None:
    tune("run", UPDATES="6", VALIDATE_EVERY="2", SCHEDULE="linear")
    first = sum(WatchUpdates.prompts[:3], [])
    assert len(set(first)) == len(first) == 10
    assert max(Counter(sum(WatchUpdates.prompts, [])).values()) == 2
    assert WatchUpdates.rates == pytest.approx([0.01 * share / 6 for share in (5, 4, 3, 2, 1, 0)])


def test_large_batches_are_accumulated(tune: Any) -> None:
    tune("run", UPDATES="2", VALIDATE_EVERY="2", BATCH_SIZE="32")
    # Two micro-batches an update, the first included; ten rows a pass are one micro-batch.
    assert [len(prompts) for prompts in WatchUpdates.prompts] == [20, 20]


def test_another_answer_each_time(tune: Any, tmp_path: Path) -> None:
    several = [f"{word} film ?\tgood\tbad\tred\tblue" for word in ("one", "two", "three", "four")]
    _write_gym(tmp_path / "several", several)
    variables = {"GYM": str(tmp_path / "several"), "TASK": "boolq", "VALIDATE_EVERY": "6", "METRIC": "exact_match"}
    tune("run", **variables)
    answers = Counter(sum(WatchUpdates.answers, []))
    assert len(answers) > 2 and sum(answers.values()) == 24


def test_a_run_starts_from_another_ones_delta_and_one_of_no_updates_is_that_delta(
    tune: Any, allennlp: Any, tmp_path: Path
) -> None:
    settings = {"DELTA": "lora", "SIZE": "2", "METRIC": "accuracy"}
    tuned = tune("source", **settings)
    start = {**settings, "DELTA_WEIGHTS": str(tmp_path / "source")}
    tune("tuned", **start, LEARNING_RATE="0.0")
    tune("untouched", **start, UPDATES="0", VALIDATE_EVERY="50")
    saved = load_file(tmp_path / "source" / "adapter_model.safetensors")
    config = json.loads((tmp_path / "source" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], sorted(config["target_modules"])) == (2, 16, ["q", "v"])
    again = load_file(tmp_path / "tuned" / "adapter_model.safetensors")
    assert all(torch.equal(saved[name], again[name]) for name in saved)
    output = tmp_path / "zero_shot.json"
    arguments = [tmp_path / "untouched" / "model.tar.gz", tmp_path / "gym", "--output-file", output]
    assert allennlp("evaluate", *arguments).status == 0
    assert json.loads(output.read_text())["accuracy"] == pytest.approx(tuned["best_validation_accuracy"])
    test = ["-o", json.dumps({"validation_dataset_reader.split": "test"})]
    assert allennlp("evaluate", *arguments, *test).status == 0


@pytest.mark.parametrize("delta", ["adapter", "lora", "prefix", "legacy_prefix", "ia3", "pfeiffer"])
def test_every_method(delta: str, tune: Any, tmp_path: Path) -> None:
    tune("run", DELTA=delta, UPDATES="1", VALIDATE_EVERY="1", METRIC="loss")
    assert load_file(tmp_path / "run" / "adapter_model.safetensors")
    if delta == "ia3":  # The published layers, without naming them.
        names = {name.split(".")[-2] for name in load_file(tmp_path / "run" / "adapter_model.safetensors")}
        assert names == {"k", "v", "wi_1"}


def test_a_causal_model_on_prompted_rows(tune: Any, tiny_model: Any, write_jsonl: Any, tmp_path: Path) -> None:
    rows = [
        {"input": line.split("\t")[0], "target": line.split("\t")[1], "answer_choices": ["good", "bad"]}
        for line in ROWS
    ]
    path = write_jsonl("rows.jsonl", rows)
    variables = {"GYM": "", "TRAIN_DATA_PATH": path, "MODEL_NAME": tiny_model("llama"), "MODEL_TYPE": "causal_lm"}
    metrics = tune("run", **variables, VALIDATION_DATA_PATH=path, DELTA="lora", TARGET_MODULES="o_proj")
    assert "best_validation_accuracy" in metrics
    assert json.loads((tmp_path / "run" / "adapter_config.json").read_text())["target_modules"] == ["o_proj"]
    assert "validation_loss" not in tune("last", **variables, DELTA="prefix", SIZE="3", UPDATES="3")


def test_recovering(tune: Any, allennlp: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stopped within the second epoch, which began among the rows; answers and orders are drawn as they would be."""
    assert InterruptOnce
    variables = {"VALIDATE_EVERY": "2", "METRIC": "accuracy", "TASK": "sst2"}
    callbacks: List[Any] = ["save_delta", "ties_improve"]
    tune("whole", "-o", json.dumps({"trainer.callbacks": callbacks}), **variables)
    callbacks.append({"type": "interrupt_once", "step": 3})
    interrupted = ["-o", json.dumps({"trainer.callbacks": callbacks})]
    with pytest.raises(AssertionError):
        tune("parts", *interrupted, **variables)
    monkeypatch.setenv("NO_INTERRUPTION", "1")
    tune("parts", *interrupted, "--recover", **variables)
    whole, parts = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(tensor, parts[name]) for name, tensor in whole.items())


def test_the_published_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GYM": "gym", "TASK": "boolq", "MODEL_NAME": "google/t5-base-lm-adapt"}.items():
        monkeypatch.setenv(name, value)
    config = Params.from_file(CONFIG).as_dict()
    assert config["model"]["delta"] == {"type": "houlsby", "size": 12, "initialisation": "normal"}
    trainer, loader = config["trainer"], config["data_loader"]
    assert trainer["num_epochs"] * loader["batches_per_epoch"] == 100_000 and loader["batch_size"] == 8
    assert (trainer["patience"], trainer["grad_norm"], trainer["optimizer"]["lr"]) == (10, 0.1, 5e-4)
    assert "ties_improve" in trainer["callbacks"]
    [metric] = config["model"]["metrics"]
    assert metric["classes"] == "gold"
    monkeypatch.setenv("TIES", "false")
    assert "ties_improve" not in Params.from_file(CONFIG).as_dict()["trainer"]["callbacks"]


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"UPDATES": "150"}, "UPDATES is 150; VALIDATE_EVERY, 100, must divide it"),
        ({"BATCH_SIZE": "24"}, "BATCH_SIZE is 24; up to 16, or a multiple of it"),
        ({"SCHEDULE": "cosine"}, "SCHEDULE is cosine"),
        ({"TASK": "films"}, "TASK films has no metric in data/few_shot_gym.json: set METRIC or TASK_METRICS"),
        ({"DELTA": "ia3", "SIZE": "4"}, "SIZE: the method ia3 has none"),
    ],
)
def test_mistakes(
    variables: Dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    for name, value in {"GYM": "gym", "TASK": "boolq", "MODEL_NAME": "t5", **variables}.items():
        monkeypatch.setenv(name, value)
    result = allennlp("train", CONFIG, "-s", tmp_path / "run")
    assert result.status == 1 and message in result.stderr


def test_a_merge_is_checked_against_the_method(tune: Any, tiny_model: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    model = make_model(base, delta={"type": "lora", "r": 2})
    model.delta.save(model.transformer, tmp_path / "merged", base)
    with pytest.raises(AssertionError, match="another delta than the model's"):
        tune("run", DELTA="adapter", DELTA_WEIGHTS=str(tmp_path / "merged"))
