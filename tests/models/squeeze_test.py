"""A squeezed model has the logits of the mixture that it came from."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import PeftModel

from attribution.models.squeeze import squeeze
from tests.models.conftest import make_batch, make_model
from tests.modules.moe.conftest import KINDS, move_apart, vanilla

SETTINGS = {
    "task_vectors": {"type": "random", "size": 8, "seed": 3},
    "router": {"type": "linear", "layer_specific": True},
    "task": "birds",
}


def mixture(folder: str, kind: str, selector: Any) -> Any:
    torch.manual_seed(3)
    settings = {"type": "task_moe_seq2seq", **SETTINGS, "experts": {"type": kind}, "selector": selector}
    model = make_model(folder, **copy.deepcopy(settings))
    move_apart(model.transformer)
    return model.eval()


def squeezed(kind: str, base: str, folder: Path) -> Any:
    if KINDS[kind].trains_all:
        return make_model(str(folder)).eval()
    delta = {"type": {"lora": "lora", "adapter": "houlsby"}[kind], "weights": str(folder)}
    config = json.loads((folder / "adapter_config.json").read_text())
    delta["target_modules"] = config["target_modules"]
    delta.update({"r": config["r"], "alpha": config["lora_alpha"]} if kind == "lora" else {"size": config["size"]})
    return make_model(base, delta=delta).eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["bart", "t5_gated"])
def test_a_one_hot_route(kind: str, name: str, tiny_model: Any, tmp_path: Path) -> None:
    model = mixture(tiny_model(name), kind, {"type": "straight_through"})
    assert len(set(model.routes_of(["birds"])[:, 0].argmax(-1).tolist())) > 1
    squeeze(model, "birds", tmp_path / "out")
    batch = make_batch(tiny_model(name))
    batch.pop("metadata", None)
    with torch.no_grad():
        one, other = squeezed(kind, tiny_model(name), tmp_path / "out")(**batch), model(**batch)
        base = make_model(tiny_model(name)).eval()(**batch)
    assert one["loss"].item() == pytest.approx(other["loss"].item(), abs=1e-5)
    assert abs(one["loss"].item() - base["loss"].item()) > 1e-3
    for scores, right in zip(one["scores"], other["scores"]):
        assert scores == pytest.approx(right, abs=1e-4)


@pytest.mark.parametrize("kind", ["lora", "adapter"])
def test_the_average_of_small_experts_is_their_mixture(kind: str, tiny_model: Any, tmp_path: Path) -> None:
    model = mixture(tiny_model("t5"), kind, {"type": "softmax"})
    squeeze(model, "birds", tmp_path / "out", "average")
    batch = make_batch(tiny_model("t5"))
    with torch.no_grad():
        one, other = squeezed(kind, tiny_model("t5"), tmp_path / "out")(**batch), model(**batch)
    assert one["loss"].item() == pytest.approx(other["loss"].item(), abs=1e-5)


@pytest.mark.parametrize("kind", ["lora", "adapter"])
def test_an_average_with_one_hot_layers(
    kind: str, tiny_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = mixture(tiny_model("t5_gated"), kind, {"type": "softmax"})
    routes = model.routes_of(["birds"])
    routes[0, 0] = torch.tensor([0.0, 1.0, 0.0])  # A softmax that is saturated.
    monkeypatch.setattr(model, "routes_of", lambda tasks: routes)
    monkeypatch.setattr(model.selector, "forward", lambda logits, tasks, examples: routes.expand(-1, len(tasks), -1))
    squeeze(model, "birds", tmp_path / "out", "average")
    batch = make_batch(tiny_model("t5_gated"))
    with torch.no_grad():
        one, other = squeezed(kind, tiny_model("t5_gated"), tmp_path / "out")(**batch), model(**batch)
    assert one["loss"].item() == pytest.approx(other["loss"].item(), abs=1e-5)


def test_the_average_of_layers_by_hand(tiny_model: Any, tmp_path: Path) -> None:
    model = mixture(tiny_model("bart"), "layer", {"type": "uniform"})
    squeeze(model, "birds", tmp_path / "out", "average")
    saved = vanilla(str(tmp_path / "out")).state_dict()
    experts = model.transformer.model.decoder.layers[1].experts
    mean = sum(expert.fc1.weight for expert in experts) / 3
    assert torch.allclose(saved["model.decoder.layers.1.fc1.weight"], mean, atol=1e-6)
    assert set(saved) == set(vanilla(tiny_model("bart")).state_dict())


def test_peft_loads_squeezed_loras(tiny_model: Any, tmp_path: Path) -> None:
    model = mixture(tiny_model("bart"), "lora", {"type": "straight_through"})
    squeeze(model, "birds", tmp_path / "out")
    PeftModel.from_pretrained(vanilla(tiny_model("bart")), str(tmp_path / "out"))


def test_what_cannot_be_squeezed(tiny_model: Any, tmp_path: Path) -> None:
    model = mixture(tiny_model("bart"), "layer", {"type": "instance_random"})
    with pytest.raises(ConfigurationError, match="those of examples, not of tasks"):
        squeeze(model, "birds", tmp_path)
    with pytest.raises(ConfigurationError, match="'median' is none of argmax, average"):
        squeeze(model, "birds", tmp_path, "median")
