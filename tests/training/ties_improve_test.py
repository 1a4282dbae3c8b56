import json
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from allennlp.training.metric_tracker import MetricTracker
from safetensors.torch import load_file

from attribution.training import TiesImprove

# Of a learning rate of 0 all validations are the same.
STUCK = {
    "model.delta": {"type": "lora", "r": 2},
    "trainer.optimizer.lr": 0.0,
    "trainer.num_epochs": 5,
    "trainer.patience": 2,
    "trainer.validation_metric": "+accuracy",
}


def _best_epochs(values: List[float], loss: float) -> List[Any]:
    tracker = MetricTracker("+accuracy", 2)
    callback = TiesImprove("")
    callback.on_start(SimpleNamespace(_metric_tracker=tracker))
    found = []
    for value in values:
        callback.on_batch(None, [], [], {"loss": loss}, 0, 1, is_training=True)
        callback.on_batch(None, [], [], {"loss": 9.0}, 0, 1, is_training=False)
        tracker.add_metrics({"accuracy": value})
        found.append((tracker.best_epoch, tracker.should_stop_early()))
    return found


def test_an_equal_value_is_the_best_and_patience_starts_anew() -> None:
    values = [0.5, 0.4, 0.5, 0.3, 0.4]
    assert _best_epochs(values, 1.0) == [(0, False), (0, False), (2, False), (2, False), (2, True)]
    # Not where there is nothing left to learn; but a better one is the best all the same.
    assert _best_epochs([0.5, 0.4, 0.5], 1e-8)[-1] == (0, True)
    assert _best_epochs([0.5, 0.6], 1e-8)[-1] == (1, False)


@pytest.mark.parametrize("callbacks, epochs, best", [([], 3, 0), (["ties_improve", "save_delta"], 5, 4)])
def test_in_a_training(
    callbacks: List[str], epochs: int, best: int, train_config: Any, allennlp: Any, tmp_path: Any
) -> None:
    result = allennlp("train", train_config({**STUCK, "trainer.callbacks": callbacks}), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["epoch"] + 1, metrics["best_epoch"]) == (epochs, best)


def test_the_saved_delta_is_the_best_not_the_last(train_config: Any, allennlp: Any, tmp_path: Any) -> None:
    changes = {
        "model.delta": {"type": "lora", "r": 2},
        "trainer.validation_metric": "+loss",  # By the wrong sign the first epoch is the best.
        "trainer.num_epochs": 3,
        "trainer.callbacks": ["ties_improve", "save_delta"],
    }
    assert allennlp("train", train_config(changes), "-s", tmp_path / "run").status == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["best_epoch"], metrics["epoch"]) == (0, 2)
    best = torch.load(tmp_path / "run" / "best.th", weights_only=True)
    saved = load_file(tmp_path / "run" / "adapter_model.safetensors")
    for name, tensor in best.items():
        name = name.replace("transformer.", "base_model.model.", 1).replace(".default", "")
        assert torch.equal(saved[name], tensor)
