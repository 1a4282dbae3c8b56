"""`allennlp train` and its relatives, on a tiny model: what AllenNLP's port and our plugin do together."""

import json
import os
import signal
import tarfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.confidence_checks.normalization_bias_verification import NormalizationBiasVerification
from allennlp.models.archival import load_archive
from allennlp.training import TrainerCallback

from tests.conftest import CAUSAL, ROWS, SEQ2SEQ

DROPOUT_ON = {"trainer.num_epochs": 3, "trainer.num_gradient_accumulation_steps": 2}
"""T5's dropout is 0.1; 24 rows in batches of 4 are 3 steps an epoch."""


@TrainerCallback.register("interrupt_once")
class InterruptOnce(TrainerCallback):
    """Presses Ctrl-C (or sends another signal) after a step, unless a checkpoint is there."""

    def __init__(self, serialization_dir: str, step: int, number: int = int(signal.SIGINT)) -> None:
        super().__init__(serialization_dir)
        self.step, self.number, self.seen = step, number, 0

    def on_batch(self, trainer: Any, *args: Any, is_training: bool, **kwargs: Any) -> None:
        self.seen += is_training
        if self.seen == self.step and not os.environ.get("NO_INTERRUPTION"):
            os.kill(os.getpid(), self.number)

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        self.seen = 0


def _weights(folder: Path) -> Dict[str, torch.Tensor]:
    return torch.load(folder / "best.th", weights_only=True)


@pytest.mark.parametrize("model", [*SEQ2SEQ, *CAUSAL])
def test_every_architecture_trains(model: str, train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("train", train_config({"trainer.num_epochs": 1}, model), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    assert "validation_accuracy" in json.loads((tmp_path / "run" / "metrics.json").read_text())


def test_a_bias_that_a_norm_undoes_is_still_found() -> None:
    undone = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    assert not NormalizationBiasVerification(undone).check(torch.zeros(1, 2))


def test_an_archive_does_not_need_what_its_weights_started_from(
    train_config: Any, allennlp: Any, tmp_path: Path
) -> None:
    changes = {"trainer.num_epochs": 1}
    assert allennlp("train", train_config(changes), "-s", tmp_path / "one").status == 0
    start = tmp_path / "start.th"
    start.write_bytes((tmp_path / "one" / "best.th").read_bytes())
    for setting, kind in (("weights_file", "seq2seq"), ("load_from_file", "load_seq2seq")):
        config = train_config({**changes, f"model.{setting}": str(start), "model.type": kind})
        assert allennlp("train", config, "-s", tmp_path / kind).status == 0
    start.unlink()
    for kind in ("seq2seq", "load_seq2seq"):
        result = allennlp("evaluate", tmp_path / kind / "model.tar.gz", tmp_path / "rows.jsonl")
        assert result.status == 0, result.stderr


def test_a_delta_on_the_weights_of_another_run(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("train", train_config({"trainer.num_epochs": 1}), "-s", tmp_path / "one").status == 0
    changes = {
        "model.type": "load_seq2seq",
        "model.load_from_file": str(tmp_path / "one" / "best.th"),
        "model.delta": {"type": "lora", "r": 2},
        "trainer.num_epochs": 1,
    }
    result = allennlp("train", train_config(changes), "-s", tmp_path / "two")
    assert result.status == 0, result.stderr
    assert all("lora" in name for name in _weights(tmp_path / "two"))
    result = allennlp("evaluate", tmp_path / "two" / "model.tar.gz", tmp_path / "rows.jsonl")
    assert result.status == 0, result.stderr


@pytest.mark.parametrize("model", ["t5", "llama"])
def test_train_evaluate_predict(
    model: str, train_config: Any, allennlp: Any, tmp_path: Path, write_jsonl: Callable[..., str]
) -> None:
    changes = {
        "model.delta": {"type": "lora", "r": 2},
        "validation_data_loader": {"batch_size": 5},
        "trainer.num_epochs": 3,
        "trainer.callbacks": ["tensorboard"],
    }
    config = train_config(changes, model)
    folder = tmp_path / "run"
    assert allennlp("train", config, "-s", folder, "--include-package", "attribution").status == 0
    metrics = json.loads((folder / "metrics.json").read_text())
    # The value after the last epoch stands beside the best.
    assert {"validation_accuracy", "best_validation_accuracy", "validation_loss", "best_validation_loss"} <= set(
        metrics
    )
    assert metrics["epoch"] == 2
    assert list((folder / "log").iterdir())
    assert all("lora_" in name for name in _weights(folder))

    rows, predictions = write_jsonl("rows.jsonl", ROWS), tmp_path / "predictions.jsonl"
    result = allennlp("evaluate", folder / "model.tar.gz", rows, "--predictions-output-file", predictions)
    assert result.status == 0, result.stderr
    written = [json.loads(line) for line in predictions.read_text().splitlines()]
    assert [row["row"] for row in written] == list(range(len(ROWS)))
    assert [ROWS[row["row"]]["answer_choices"][row["response"]] for row in written] == [
        row["answer"] for row in written
    ]
    right = sum(row["response"] == row["correct_answer_index"] for row in written) / len(ROWS)
    assert right == pytest.approx(metrics["best_validation_accuracy"])

    unlabelled = write_jsonl("unlabelled.jsonl", [{k: row[k] for k in ("input", "answer_choices")} for row in ROWS[:3]])
    output = tmp_path / "predicted.jsonl"
    arguments = [
        "predict",
        folder / "model.tar.gz",
        unlabelled,
        "--output-file",
        output,
        "--batch-size",
        "2",
        "--silent",
    ]
    assert allennlp(*arguments).status == 0
    predicted = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["answer"] for row in predicted] == [row["answer"] for row in written[:3]]
    assert predicted[0]["scores"] == pytest.approx(written[0]["scores"], abs=1e-4)


def test_dry_run_overrides_find_lr_and_test_install(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    config = train_config()
    assert allennlp("train", config, "-s", tmp_path / "dry", "--dry-run").status == 0
    assert not (tmp_path / "dry" / "model.tar.gz").exists()
    overrides = json.dumps({"trainer.num_epochs": 1, "model.label_smoothing": 0.1})
    assert allennlp("train", config, "-s", tmp_path / "run", "-o", overrides).status == 0
    resolved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert resolved["trainer"]["num_epochs"] == 1 and resolved["model"]["label_smoothing"] == 0.1
    found = allennlp("find-lr", config, "-s", tmp_path / "lr", "--num-batches", "12", "--stopping-factor", "100")
    assert found.status == 0, found.stderr
    assert (tmp_path / "lr" / "lr-losses.png").stat().st_size > 1000
    assert allennlp("test-install").status == 0


@pytest.mark.parametrize("step, kind", [(1, signal.SIGINT), (5, signal.SIGINT), (6, signal.SIGTERM)])
def test_an_interrupted_training_ends_as_if_it_had_not_been(
    step: int, kind: int, train_config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt = {"type": "interrupt_once", "step": step, "number": int(kind)}
    schedule = {"type": "slanted_triangular", "cut_frac": 0.3}
    config = train_config({**DROPOUT_ON, "trainer.callbacks": [interrupt], "trainer.learning_rate_scheduler": schedule})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    monkeypatch.setenv("NO_INTERRUPTION", "1")
    assert allennlp("train", config, "-s", whole).status == 0
    monkeypatch.delenv("NO_INTERRUPTION")
    stopped = allennlp("train", config, "-s", parts)
    assert stopped.status == 130 and "interrupted" in stopped.stderr
    assert list(parts.glob(f"model_state_e{(step - 1) // 3}_b{(step - 1) % 3 + 1}.th"))
    monkeypatch.setenv("NO_INTERRUPTION", "1")
    assert allennlp("train", config, "-s", parts, "--recover").status == 0
    wanted, got = _weights(whole), _weights(parts)
    assert all(torch.equal(wanted[name], got[name]) for name in wanted)
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in (whole, parts)]
    for name in ("training_loss", "validation_loss", "best_validation_loss", "best_epoch"):
        assert metrics[0][name] == pytest.approx(metrics[1][name]), name


def test_a_second_interruption_stops_at_once(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    callbacks = [{"type": "interrupt_once", "step": 2}, {"type": "interrupt_once", "step": 2}]
    config = train_config({"trainer.callbacks": callbacks})
    assert allennlp("train", config, "-s", tmp_path / "run").status == 130
    assert not (tmp_path / "run").exists()  # No checkpoint was written: nothing half-written is left.


def test_two_processes(train_config: Any, allennlp: Any, tmp_path: Path, write_jsonl: Callable[..., str]) -> None:
    # 21 rows to validate on, with two options and three in turn: 3 batches in one process, 2 in the other.
    rows = [{**row, "answer_choices": ["yes", "no", "maybe"][: 2 + number % 2]} for number, row in enumerate(ROWS[:21])]
    changes = {
        "distributed": {"cuda_devices": [-1, -1]},
        "model.metrics": ["exact_match", "classification_f1"],
        "trainer.num_epochs": 1,
        "validation_data_path": write_jsonl("validation.jsonl", rows),
        "data_loader": {"batch_sampler": {"type": "token_budget", "max_tokens": 60}},
        "validation_data_loader": {"batch_size": 5},
    }
    folder = tmp_path / "run"
    result = allennlp("train", train_config(changes), "-s", folder, "--include-package", "attribution")
    assert result.status == 0, result.stderr
    alone = tmp_path / "metrics.json"
    evaluated = allennlp(
        "evaluate",
        folder / "model.tar.gz",
        tmp_path / "validation.jsonl",
        "--output-file",
        alone,
        "--cuda-device",
        "-1",
    )
    assert evaluated.status == 0, evaluated.stderr
    together = json.loads((folder / "metrics.json").read_text())
    for name, value in json.loads(alone.read_text()).items():
        assert together[f"validation_{name}"] == pytest.approx(value), name


def test_archives_hold_no_pickle_but_tensors(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("train", train_config({"trainer.num_epochs": 1}), "-s", tmp_path / "run").status == 0
    with tarfile.open(tmp_path / "run" / "model.tar.gz") as tar:
        tar.extractall(tmp_path / "archive", filter="data")
    assert torch.load(tmp_path / "archive" / "weights.th", weights_only=True)
    for state in (tmp_path / "run").glob("*_state_*.th"):
        assert torch.load(state, weights_only=True)
    assert load_archive(tmp_path / "run" / "model.tar.gz").model is not None


def test_force_keeps_the_old_run_when_the_new_one_is_wrong(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    good = train_config({"trainer.num_epochs": 1})
    assert allennlp("train", good, "-s", folder).status == 0
    before: List[str] = sorted(path.name for path in folder.iterdir())
    assert allennlp("train", train_config({"model.loss": "median"}), "-s", folder, "--force").status == 1
    assert sorted(path.name for path in folder.iterdir()) == before
    assert allennlp("train", train_config({"trainer.num_epochs": 1}), "-s", folder, "--force").status == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".run")] == []


def test_what_a_training_says(
    train_config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALLENNLP_LOG_LEVEL", raising=False)
    config = train_config(
        {"trainer.num_epochs": 1, "trainer.patience": 1, "trainer.num_gradient_accumulation_steps": 4}
    )
    result = allennlp("train", config, "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    assert json.loads(result.stdout) == json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert "INFO" in (tmp_path / "run" / "out.log").read_text()
    assert "6/6" in result.stderr and "2/2" not in result.stderr  # Batches, not steps of four.
    monkeypatch.setenv("ALLENNLP_LOG_LEVEL", "INFO")
    assert "- INFO -" in allennlp("train", config, "-s", tmp_path / "again").stdout


def test_what_allennlp_takes_is_taken(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    """An optimizer by its name alone; a sampler that looks for the longest field itself."""
    changes = {"trainer.num_epochs": 1, "trainer.optimizer": "adam"}
    config = train_config({**changes, "data_loader": {"batch_sampler": {"type": "bucket", "batch_size": 3}}})
    result = allennlp("train", config, "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    result = allennlp("evaluate", tmp_path / "run" / "model.tar.gz", tmp_path / "rows.jsonl", "--batch-size", "0")
    assert result.status == 1 and "--batch-size is 0; 1 or more is needed" in result.stderr
    result = allennlp(
        "evaluate", tmp_path / "run" / "model.tar.gz", tmp_path / "rows.jsonl", "--batch-weight-key", "los"
    )
    assert result.status == 1 and "the model gives no 'los'; did you mean \"loss\"?" in result.stderr


def test_a_directory_that_is_taken_says_what_can_be_done(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    (tmp_path / "run" / "vocabulary").mkdir(parents=True)
    (tmp_path / "run" / "config.json").touch()
    result = allennlp("train", train_config(), "-s", tmp_path / "run")
    assert result.status == 1 and "--recover goes on with it, --force replaces it; or name another" in result.stderr
    (tmp_path / "run" / "vocabulary").rmdir()
    result = allennlp("train", train_config(), "-s", tmp_path / "run")
    assert result.status == 1 and "no training has written it, so that it is not replaced" in result.stderr
    (tmp_path / "file").touch()
    result = allennlp("train", train_config(), "-s", tmp_path / "file" / "run")
    assert result.status == 1 and "error: " in result.stderr and "Traceback" not in result.stderr


def test_a_command_that_is_not_there(allennlp: Any) -> None:
    result = allennlp("evalute", "x")
    assert result.status == 2 and "'evalute' is not there; did you mean \"evaluate\"?" in result.stderr
