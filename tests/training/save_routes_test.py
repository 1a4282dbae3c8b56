"""The routes after each epoch of a training."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity import TaskRoutes
from attribution.training import SaveRoutes
from tests.training.update_routing_test import MOE, model_of


def test_each_epoch(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    changes = {f"model.{name}": value for name, value in copy.deepcopy(MOE).items()}
    changes["model.task_vectors"] = {"type": "learned", "tasks": ["birds", "boats"], "size": 4}
    changes["trainer.callbacks"] = ["update_routing", {"type": "save_routes", "temperature": 1.0}]
    changes["data_loader"] = {"batch_size": 12}
    result = allennlp("train", train_config(changes, model="t5"), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    folder = tmp_path / "run" / "routes"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["epoch_0.npz", "epoch_0.tsv", "epoch_1.npz", "epoch_1.tsv"]
    first, second = (TaskRoutes.load(folder / f"epoch_{epoch}.npz") for epoch in (0, 1))
    assert first.tasks == ["birds", "boats"] and first.weights.shape == (2, 4, 3)
    assert (first.weights[0] != second.weights[0]).any()


def test_another_process_writes_nothing(tiny_model: Any, tmp_path: Path) -> None:
    trainer = SimpleNamespace(model=model_of(tiny_model("t5")))
    SaveRoutes(str(tmp_path)).on_epoch(trainer, {}, 0, is_primary=False)
    assert not list(tmp_path.iterdir()) and trainer.model.training


def test_a_model_without_such_routes_stops_before_it_is_trained(tiny_model: Any, tmp_path: Path) -> None:
    trainer = SimpleNamespace(model=model_of(tiny_model("t5"), selector={"type": "uniform"}))
    with pytest.raises(ConfigurationError, match="say which ones"):
        SaveRoutes(str(tmp_path)).on_start(trainer)
    SaveRoutes(str(tmp_path), tasks=["birds"]).on_start(trainer)
