from typing import Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.sublayers import CROSS_ATTENTION, FEED_FORWARD_INPUT, SELF_ATTENTION, find, stacks
from tests.models.conftest import make_model


@pytest.mark.parametrize("model, cross, inner", [("t5", 2, "wi"), ("t5_gated", 2, "wi_0"), ("bart", 2, "fc1")])
def test_an_encoder_decoder(model: str, cross: int, inner: str, tiny_model: Callable[[str], str]) -> None:
    transformer = make_model(tiny_model(model)).transformer
    assert len(find(transformer, SELF_ATTENTION, "x")) == 4 and len(find(transformer, CROSS_ATTENTION, "x")) == cross
    assert {name.rpartition(".")[2] for name, _ in find(transformer, FEED_FORWARD_INPUT, "x")} == {inner}
    assert stacks(transformer) == [transformer.get_encoder(), transformer.get_decoder()]


@pytest.mark.parametrize("model", ["llama", "gpt2"])
def test_a_decoder(model: str, tiny_model: Callable[[str], str]) -> None:
    transformer = make_model(tiny_model(model), type="causal_lm").transformer
    assert len(find(transformer, SELF_ATTENTION, "x")) == 2 and stacks(transformer) == [transformer.base_model]


def test_names_are_whole_parts() -> None:
    model = torch.nn.ModuleDict({"q": torch.nn.Linear(1, 1), "xq": torch.nn.Linear(1, 1)})
    assert [name for name, _ in find(model, "", "x", ["q"])] == ["q"]
    with pytest.raises(ConfigurationError, match="x: there is no layer called k, v in a ModuleDict"):
        find(model, "", "x", ["k", "v"])
    with pytest.raises(ConfigurationError, match="x: there is no layer to change whose name is known in a ModuleDict"):
        find(model, SELF_ATTENTION, "x")
