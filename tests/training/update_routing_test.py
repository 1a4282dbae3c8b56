"""Updates are counted, and experts and router take turns."""

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.training import UpdateRouting
from tests.commands.train_test import InterruptOnce
from tests.models.conftest import make_batch, make_model

MOE: Dict[str, Any] = {
    "type": "task_moe_seq2seq",
    "task": "birds",
    "router": {"type": "linear", "hidden_size": 4},
    "selector": {"type": "gumbel_softmax", "temperature": {"start": 2.0, "floor": 0.1, "rate": 0.1}},
}


def model_of(folder: str, **settings: Any) -> Any:
    embedder = {"type": "learned", "tasks": ["birds"], "size": 4}
    return make_model(folder, **copy.deepcopy({**MOE, "task_vectors": embedder, **settings})).train()


def update(callback: Any, trainer: Any) -> None:
    callback.on_batch(trainer, [], [], {}, 0, 0, is_training=True)


def test_what_is_not_on_turn_does_not_move(tiny_model: Any) -> None:
    """As published, momentum and weight decay went on moving it."""
    model = model_of(tiny_model("bart"), selector={"type": "softmax"})
    trainer = SimpleNamespace(model=model, _distributed=False)
    callback = UpdateRouting("", alternate=2)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01, weight_decay=0.1)
    batch = make_batch(tiny_model("bart"))
    callback.on_start(trainer)
    moved = []
    for _ in range(7):
        before = {name: weight.clone() for name, weight in model.named_parameters()}
        optimizer.zero_grad()
        model(**batch)["loss"].backward()
        optimizer.step()
        update(callback, trainer)
        changed = [name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])]
        moved.append({name.split(".")[0] for name in changed})
    routes = {"router", "task_vectors"}
    experts = {"transformer"}
    # Update n trains the experts where n // 2 is odd.
    assert moved == [routes, experts, experts, routes, routes, experts, experts]
    callback.on_end(trainer)
    assert all(weight.requires_grad for weight in model.parameters()) and model.updates == 7


def test_a_turn_goes_on_after_recovery(tiny_model: Any) -> None:
    model = model_of(tiny_model("bart"))
    model.selector.temperature.updates += 4
    UpdateRouting("", alternate=2).on_start(SimpleNamespace(model=model, _distributed=False))
    assert model.router.routers[0][0].weight.requires_grad
    assert not any(weight.requires_grad for weight in model.transformer.parameters())


def test_temperature_and_evaluation(tiny_model: Any) -> None:
    model = model_of(tiny_model("bart"))
    trainer = SimpleNamespace(model=model, _distributed=False)
    callback = UpdateRouting("")
    callback.on_start(trainer)
    for is_training in (True, False, True):
        callback.on_batch(trainer, [], [], {}, 0, 0, is_training=is_training)
    assert model.updates == 2 and 1.6 < model.selector.temperature.value < 1.7


@pytest.mark.parametrize("loader", [{}, {"batches_per_epoch": 4}])
def test_recovering_a_training_in_turns(loader: Any, train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert InterruptOnce
    changes = {f"model.{name}": value for name, value in MOE.items()}
    changes["model.task_vectors"] = {"type": "learned", "tasks": ["birds"], "size": 4}
    changes["data_loader"] = {"batch_size": 4, "shuffle": True, **loader}
    turns = {"type": "update_routing", "alternate": 3}
    changes["trainer.callbacks"] = [turns]
    assert allennlp("train", train_config(changes, "bart"), "-s", tmp_path / "whole").status == 0
    changes["trainer.callbacks"] = [turns, {"type": "interrupt_once", "step": 5}]
    config = train_config(changes, "bart")
    assert allennlp("train", config, "-s", tmp_path / "parts").status != 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_INTERRUPTION", "1")
        result = allennlp("train", config, "-s", tmp_path / "parts", "--recover")
    assert result.status == 0, result.stderr
    whole, parts = (torch.load(tmp_path / name / "best.th", weights_only=True) for name in ("whole", "parts"))
    assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []


def test_wrong_settings(tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match="alternate is 0"):
        UpdateRouting("", alternate=0)
    with pytest.raises(ConfigurationError, match="the model has no routes"):
        UpdateRouting("").on_start(SimpleNamespace(model=make_model(tiny_model("bart"))))
    fixed = model_of(tiny_model("bart"), selector={"type": "uniform"})
    with pytest.raises(ConfigurationError, match="needs a router that is trained"):
        UpdateRouting("", alternate=1).on_start(SimpleNamespace(model=fixed, _distributed=False))
    with pytest.raises(ConfigurationError, match="for one process"):
        UpdateRouting("", alternate=1).on_start(SimpleNamespace(model=model_of(tiny_model("bart")), _distributed=True))
