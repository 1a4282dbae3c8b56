"""A training that was stopped, or killed, ends with the very weights and metrics of one that was not."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Optional

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.port import load_tensors, plain, save_tensors
from allennlp.training.learning_rate_schedulers import LearningRateScheduler
from allennlp.training.optimizers import Optimizer

from tests.shell_scripts.allennlp_port import tiny

HERE = "tests.shell_scripts.allennlp_port.tiny"
MEASURED = ("training_loss", "training_error", "training_rows", "validation_error", "validation_rows", "best_epoch")


def train(config: Dict[str, Any], folder: Path, recover: bool = False, **overrides: Any) -> None:
    train_model(
        Params(json.loads(json.dumps(config))), str(folder), recover=recover, include_package=[HERE], **overrides
    )


def assert_same_end(one: Path, two: Path) -> None:
    for file in (tiny.steps(one)[-1], ""):
        name = f"model_state_{file}.th" if file else "best.th"
        wanted, got = load_tensors(one / name), load_tensors(two / name)
        assert all(torch.equal(wanted[key], got[key]) for key in wanted), name
    wanted, got = (json.loads((folder / "metrics.json").read_text()) for folder in (one, two))
    assert {key: wanted[key] for key in MEASURED} == pytest.approx(
        {key: got[key] for key in MEASURED}, abs=0, rel=1e-12
    )


@pytest.fixture
def interruption(monkeypatch: pytest.MonkeyPatch) -> Any:
    def switch(on: bool) -> None:
        monkeypatch.setenv("TINY_INTERRUPTION", "1" if on else "")

    return switch


LAZY = {"batch_size": 4, "shuffle": True, "max_instances_in_memory": 8}


@pytest.mark.parametrize("loader", [{}, LAZY], ids=["in_memory", "lazy"])
@pytest.mark.parametrize("checkpointer", [{}, {"save_every_num_batches": 2}], ids=["epochs", "batches"])
@pytest.mark.parametrize("step, in_validation", [(1, False), (2, False), (3, False), (7, False), (3, True), (6, True)])
def test_interrupted(
    step: int, in_validation: bool, checkpointer: Any, loader: Any, interruption: Any, tmp_path: Path
) -> None:
    stop = {"type": "tiny_interruption", "step": step, "number": int(signal.SIGINT), "in_validation": in_validation}
    config = tiny.config(callbacks=[stop], checkpointer=checkpointer)
    config["data_loader"].update(loader)
    interruption(False)
    train(config, tmp_path / "whole")
    interruption(True)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "parts")
    assert tiny.steps(tmp_path / "parts")[-1] == f"e{(step - 1) // 3}_b{(step - 1) % 3 + 1}"
    interruption(False)
    train(config, tmp_path / "parts", recover=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("at", ["e1_b0", "e2_b0", "e0_b2", "e2_b3", "e3_b1", "e4_b0"])
@pytest.mark.parametrize("average", [None, {"type": "exponential", "decay": 0.9}], ids=["plain", "moving_average"])
def test_killed_after_any_checkpoint(at: str, average: Optional[Dict[str, Any]], tmp_path: Path) -> None:
    """As a kill leaves it: later files are missing, half of the next checkpoint and no best weights are there."""
    config = tiny.config(
        checkpointer={"save_every_num_batches": 1, "keep_most_recent_by_count": None},
        **({"moving_average": average} if average else {}),
    )
    train(config, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    later = [step for step in tiny.steps(tmp_path / "whole") if step > at]
    for step in later:
        (tmp_path / "parts" / f"training_state_{step}.th").unlink()
    for name in ([f"model_state_{step}.th" for step in later[1:]]) + ["metrics.json", "model.tar.gz"]:
        (tmp_path / "parts" / name).unlink()
    for step in later[:1]:
        (tmp_path / "parts" / f"model_state_{step}.th").write_bytes(b"half")
    if at == "e1_b0":
        (tmp_path / "parts" / "best.th").unlink()
    train(config, tmp_path / "parts", recover=True)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_out_of_patience_stays_so(tmp_path: Path) -> None:
    config = tiny.config(patience=1, validation_metric="+rows", num_epochs=8)
    train(config, tmp_path / "run")
    before = tiny.steps(tmp_path / "run")
    assert before[-1] == "e2_b0"
    train(config, tmp_path / "run", recover=True)
    assert tiny.steps(tmp_path / "run") == before


def test_removing_one_checkpoint_keeps_others(tmp_path: Path) -> None:
    config = tiny.config(num_epochs=1, checkpointer={"save_every_num_batches": 1, "keep_most_recent_by_count": 9})
    config["train_data_path"] = "88"
    train(config, tmp_path / "run")
    assert {"e0_b10", "e0_b11"} <= set(tiny.steps(tmp_path / "run"))


def test_workers_of_a_data_loader_end_with_the_training(interruption: Any, tmp_path: Path) -> None:
    config = tiny.config(callbacks=[{"type": "tiny_interruption", "step": 1, "number": int(signal.SIGTERM)}])
    config["data_loader"] = {"batch_size": 1, "num_workers": 1, "max_instances_in_memory": 2}
    config["train_data_path"] = "2000"
    interruption(True)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "run")
    assert tiny.steps(tmp_path / "run") == ["e0_b1"]


# --- Two processes


def _command(config: Dict[str, Any], folder: Path, *more: str, **environment: str) -> "subprocess.Popen[str]":
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config))
    command = [
        sys.executable,
        "-m",
        "allennlp",
        "train",
        str(file),
        "-s",
        str(folder),
        "--include-package",
        HERE,
        *more,
    ]
    return subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("rows", ["44", "42"], ids=["even", "uneven"])
def test_two_processes(rows: str, tmp_path: Path) -> None:
    """
    Only one of the two is told to stop: both do, after the same step. 42 rows: the second has one batch less, in the
    middle of a step. All 11 validation rows are evaluated.
    """
    stop = {"type": "tiny_interruption", "step": 4, "number": int(signal.SIGINT)}
    config = tiny.config(callbacks=[stop], checkpointer={"save_every_num_batches": 2})
    config.update(train_data_path=rows, distributed={"cuda_devices": [-1, -1]})
    whole, parts = _command(config, tmp_path / "whole"), tmp_path / "parts"
    _, errors = whole.communicate(timeout=300)
    assert whole.returncode == 0, errors
    stopped = _command(config, parts, TINY_INTERRUPTION="1")
    _, errors = stopped.communicate(timeout=300)
    assert stopped.returncode == 130, errors
    continued = _command(config, parts, "--recover")
    _, errors = continued.communicate(timeout=300)
    assert continued.returncode == 0, errors
    assert_same_end(tmp_path / "whole", parts)
    assert json.loads((parts / "metrics.json").read_text())["validation_rows"] == 11


# --- What a checkpoint holds

SCHEDULERS = {
    "step": {"step_size": 1},
    "multi_step": {"milestones": [1]},
    "exponential": {"gamma": 0.5},
    "reduce_on_plateau": {},
    "constant": {},
    "constant_with_warmup": {"num_warmup_steps": 2},
    "cosine_with_warmup": {"num_warmup_steps": 2, "num_training_steps": 9},
    "linear_with_warmup": {"num_epochs": 2, "num_steps_per_epoch": 3, "warmup_steps": 1},
    "polynomial_decay": {"num_epochs": 2, "num_steps_per_epoch": 3},
    "noam": {"model_size": 4, "warmup_steps": 2},
    "slanted_triangular": {"num_epochs": 2, "num_steps_per_epoch": 3},
    "cosine": {"t_initial": 3},
    "combined": {
        "schedulers": [[1, {"type": "constant"}], [1, {"type": "exponential", "gamma": 0.5}]],
        "num_steps_per_epoch": 3,
    },
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_schedule_comes_back_without_executing_anything(name: str, tmp_path: Path) -> None:
    def make() -> Any:
        weight = torch.nn.Parameter(torch.ones(1))
        optimizer = Optimizer.from_params(Params({"type": "sgd", "lr": 0.1}), model_parameters=[("w", weight)])
        return LearningRateScheduler.from_params(Params({"type": name, **SCHEDULERS[name]}), optimizer=optimizer)

    one, two = make(), make()
    one.step_batch(1)
    one.step(0.5)
    save_tensors(plain(one.state_dict()), tmp_path / "state.th")
    two.load_state_dict(load_tensors(tmp_path / "state.th"))
    assert str(two.state_dict()) == str(plain(one.state_dict()))
