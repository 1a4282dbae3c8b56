"""Adapters against a forward pass by hand."""

import re
from collections import Counter
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForSeq2SeqLM

from attribution.modules.delta import Houlsby, Parallel, Pfeiffer
from attribution.modules.delta.adapter import BottleneckAdapter
from tests.models.conftest import make_model
from tests.modules.delta.every_architecture import Architecture, build, causal, inputs, seq2seq, shake
from tests.modules.delta.slow_t5 import slow_t5

PROMPT, TARGET = [5, 9, 11, 30, 7], [0, 8, 4, 6]


def _places(folder: str, delta: Dict[str, Any]) -> List[str]:
    kind = "causal_lm" if "llama" in folder or "gpt2" in folder else "seq2seq"
    names = [name for name, _ in make_model(folder, type=kind, delta=delta).transformer.named_modules()]
    return sorted(name.removesuffix(".adapter") for name in names if name.endswith(".adapter"))


@pytest.mark.parametrize("model", ["t5", "t5_gated"])
@pytest.mark.parametrize("name", ["houlsby", "pfeiffer", "parallel"])
@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_formula(name: str, bias: bool, model: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(model)
    settings = {"scale": 4.0} if name == "parallel" else {}
    tuned = make_model(folder, delta={"type": name, "size": 3, "bias": bias, **settings}).transformer.eval()
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    adapters = {}
    for place, module in tuned.named_modules():
        if isinstance(module, BottleneckAdapter):
            for weight in module.parameters():
                torch.nn.init.normal_(weight)
            down, up = module.adapter_down, module.adapter_up
            adapters[".".join(place.split(".")[:5])] = (down.weight, down.bias, up.weight, up.bias)

    def bottleneck(place: str, states: torch.Tensor, activation: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        if place not in adapters:
            return 0
        down, down_bias, up, up_bias = (0 if weight is None else weight for weight in adapters[place])
        return activation(states @ down.T + down_bias) @ up.T + up_bias

    def silu(states: torch.Tensor) -> torch.Tensor:
        return states / (1 + torch.exp(-states))

    added: Dict[str, Any] = {
        "houlsby": {"after": lambda place, output: output + bottleneck(place, output, silu)},
        "pfeiffer": {"after": lambda place, output: output + bottleneck(place, output, lambda x: x.clamp(min=0))},
        "parallel": {"beside": lambda place, states: 4.0 * bottleneck(place, states, lambda x: x.clamp(min=0))},
    }[name]
    with torch.no_grad():
        expected = slow_t5(plain, PROMPT, TARGET, **added)
        logits = tuned(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
        without = slow_t5(plain, PROMPT, TARGET)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(without, expected, atol=1e-2)


def test_where_they_are(tiny_model: Callable[[str], str]) -> None:
    # 2 + 2 layers: 2 sub-layers in the encoder's, 3 in the decoder's.
    assert len(_places(tiny_model("t5"), {"type": "houlsby"})) == 10
    assert _places(tiny_model("bart"), {"type": "pfeiffer"}) == [
        f"model.{stack}.layers.{layer}.fc2" for stack in ("decoder", "encoder") for layer in (0, 1)
    ]
    assert _places(tiny_model("llama"), {"type": "houlsby"}) == [
        f"model.layers.{layer}.{name}" for layer in (0, 1) for name in ("mlp.down_proj", "self_attn.o_proj")
    ]
    assert _places(tiny_model("gpt2"), {"type": "parallel", "target_modules": ["mlp"]}) == [
        f"transformer.h.{layer}.mlp" for layer in (0, 1)
    ]
    assert len(_places(tiny_model("bert2bert"), {"type": "houlsby"})) == 10


@pytest.mark.parametrize("initialisation, deviation", [("identity", 0.0), ("normal", 0.02)])
def test_initialisation(initialisation: str, deviation: float) -> None:
    torch.manual_seed(1)
    adapter = BottleneckAdapter(400, 100, "silu", True, initialisation, 0.02)
    assert adapter.adapter_down.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert adapter.adapter_up.weight.std().item() == pytest.approx(deviation, rel=0.05)
    assert not adapter.adapter_down.bias.any() and not adapter.adapter_up.bias.any()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"size": 0}, "houlsby: size is 0"),
        ({"activation": "sulu"}, "activation 'sulu' is none of"),
        ({"initialisation": "random"}, "initialisation 'random' is none of identity, normal"),
    ],
)
def test_bad_settings(settings: Dict[str, Any], message: str, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_model(tiny_model("t5"), delta={"type": "houlsby", **settings})


SAMPLE = [
    *(Architecture(name, False) for name in ("opt", "mixtral", "bart", "gemma3")),
    *(Architecture(name, True) for name in ("t5gemma", "bert2gpt2", "led")),
]
REFUSED = ["mixtral-causal_lm", "led-seq2seq"]


@pytest.mark.parametrize("architecture", SAMPLE, ids=str)
def test_every_layer_has_them_or_none(architecture: Architecture) -> None:
    assert _reach_every_layer(architecture, Houlsby) == (str(architecture) not in REFUSED)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Houlsby, Pfeiffer, Parallel])
@pytest.mark.parametrize("architecture", [*causal(), *seq2seq()], ids=str)
def test_every_layer_of_every_architecture_has_them_or_none(architecture: Architecture, method: Any) -> None:
    _reach_every_layer(architecture, method)


def _reach_every_layer(architecture: Architecture, method: Any) -> bool:
    """Whether it was not refused; then all layers have as many, and all of them act."""
    model, delta = build(architecture), method(size=4)
    try:
        delta.inject(model)
    except ConfigurationError as error:
        assert re.match(rf"{delta.method}: (a \S+ model|there is no layer)", error.message)
        return False
    shake(model, 0.3, trainable=True)
    model(**inputs(architecture, [20, 20]), use_cache=False).logits.pow(2).sum().backward()
    tensors = delta.tensors(model)
    assert all(weight.grad is not None and weight.grad.any() for weight in tensors.values())
    numbers = Counter(re.split(r"\.\d+\.", name, maxsplit=1)[0] for name in tensors)
    layers = {name: len(model.get_submodule(name.removeprefix("base_model.model."))) for name in numbers}
    assert all(number % layers[name] == 0 for name, number in numbers.items())
    return True
