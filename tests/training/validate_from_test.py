"""No validation before a given update, also after a restart."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.training import ValidateFrom
from tests.commands.train_test import InterruptOnce

# Two updates an epoch; with this sign of the loss the first validation is the best.
EPOCHS: Dict[str, Any] = {
    "trainer.num_epochs": 4,
    "trainer.validation_metric": "+loss",
    "data_loader": {"batch_size": 1, "shuffle": True, "batches_per_epoch": 4},
    "validation_data_loader": {"batch_size": 4},
    "trainer.num_gradient_accumulation_steps": 2,
    "trainer.checkpointer": {"keep_most_recent_by_count": 4},
}


def _metrics(folder: Path) -> Any:
    epochs = [json.loads((folder / f"metrics_epoch_{epoch}.json").read_text()) for epoch in range(4)]
    return [("validation_loss" in metrics) for metrics in epochs], json.loads((folder / "metrics.json").read_text())


def _same(one: Path, other: Path) -> bool:
    first, second = (torch.load(path, weights_only=True) for path in (one, other))
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("update, first", [(0, 0), (2, 0), (3, 1), (6, 2), (8, 3)])
def test_the_first_validation(update: int, first: int, train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    callbacks = [{"type": "validate_from", "update": update}]
    result = allennlp("train", train_config({**EPOCHS, "trainer.callbacks": callbacks}), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    validated, metrics = _metrics(tmp_path / "run")
    assert validated == [epoch >= first for epoch in range(4)]
    assert metrics["best_epoch"] == first
    assert _same(tmp_path / "run" / "best.th", tmp_path / "run" / f"model_state_e{first + 1}_b0.th")


@pytest.mark.parametrize("step", [2, 4, 5])
def test_after_a_restart(step: int, train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    """At the end of an epoch without validation, of the one before the first, and within the first."""
    assert InterruptOnce
    own = {"type": "validate_from", "update": 5}
    config = train_config({**EPOCHS, "trainer.callbacks": [own]})
    assert allennlp("train", config, "-s", tmp_path / "whole").status == 0
    config = train_config({**EPOCHS, "trainer.callbacks": [own, {"type": "interrupt_once", "step": step}]})
    assert allennlp("train", config, "-s", tmp_path / "parts").status != 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_INTERRUPTION", "1")
        result = allennlp("train", config, "-s", tmp_path / "parts", "--recover")
    assert result.status == 0, result.stderr
    (validated, whole), (validated_in_parts, parts) = (_metrics(tmp_path / name) for name in ("whole", "parts"))
    assert validated_in_parts == validated == [False, False, True, True]
    assert parts["best_epoch"] == whole["best_epoch"] == 2
    assert parts["best_validation_loss"] == whole["best_validation_loss"]
    assert _same(tmp_path / "whole" / "best.th", tmp_path / "parts" / "best.th")


@pytest.mark.parametrize(
    "settings, wanted, interrupted",
    [
        ({"validation_interval": 2}, [True, False, True, False], None),
        ({"validation_start": 2}, [False, False, True, True], None),
        ({"validation_start": 2}, [False, False, True, True], 5),
    ],
)
def test_allennlp_s_own_callback(
    settings: Dict[str, int], wanted: Any, interrupted: Any, train_config: Any, allennlp: Any, tmp_path: Path
) -> None:
    callbacks: Any = [{"type": "should_validate_callback", **settings}]
    callbacks += [{"type": "interrupt_once", "step": interrupted}] if interrupted else []
    config = train_config({**EPOCHS, "trainer.callbacks": callbacks})
    result = allennlp("train", config, "-s", tmp_path / "run")
    if interrupted:
        assert result.status != 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NO_INTERRUPTION", "1")
            result = allennlp("train", config, "-s", tmp_path / "run", "--recover")
    assert result.status == 0, result.stderr
    validated, metrics = _metrics(tmp_path / "run")
    best = wanted.index(True)
    assert validated == wanted and metrics["best_epoch"] == best
    assert _same(tmp_path / "run" / "best.th", tmp_path / "run" / f"model_state_e{best + 1}_b0.th")


def test_wrong_settings(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="validate_from: update is -1; 0 or more is possible"):
        ValidateFrom("", update=-1)
    callbacks = [{"type": "validate_from", "update": 9}]
    result = allennlp("train", train_config({**EPOCHS, "trainer.callbacks": callbacks}), "-s", tmp_path / "run")
    assert result.status == 1 and "update is 9, and the training has 8; nothing would be validated" in result.stderr


def test_a_loader_that_does_not_know_its_length() -> None:
    callback = ValidateFrom("", update=100)
    trainer = SimpleNamespace(
        data_loader=iter([]), _num_epochs=2, _num_gradient_accumulation_steps=1, _start_after_epochs_completed=0
    )
    callback.on_start(trainer)
    validates = []
    for epoch in (0, 1):
        callback.on_batch(trainer, [], [], {}, epoch, 0, is_training=True)
        validates.append(trainer._should_validate_this_epoch)
    assert validates == [False, True]  # The last one is: an archive needs weights.
