"""Published places and formula. What PEFT's does is in peft_delta_test.py."""

from typing import Any, Callable, Set

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from tests.models.conftest import make_model


def _scaled(model: Any) -> Set[str]:
    return {name.split(".ia3_l")[0].rpartition(".")[2] for name in model.state_dict()}


def test_the_output_of_keys_values_and_wi_1_is_scaled(tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("t5_gated"), delta={"type": "ia3"})
    assert _scaled(model) == {"k", "v", "wi_1"}
    for name in ("layer.0.SelfAttention.k", "layer.1.DenseReluDense.wi_1"):
        layer = model.transformer.get_submodule(f"encoder.block.0.{name}")
        [vector] = layer.ia3_l.values()
        assert (vector == 1).all() and vector.shape == (layer.base_layer.out_features, 1)
        torch.nn.init.normal_(vector)
        states = torch.randn(3, 16)
        torch.testing.assert_close(layer(states), layer.base_layer(states) * vector.flatten())


def test_without_gates_what_goes_into_wo_is_scaled(tiny_model: Callable[[str], str]) -> None:
    """The published code left these layers out without a word."""
    model = make_model(tiny_model("t5"), delta={"type": "ia3"})
    assert _scaled(model) == {"k", "v", "wo"}
    layer = model.transformer.encoder.block[0].layer[1].DenseReluDense.wo
    assert layer.is_feedforward and layer.ia3_l["default"].shape == (1, 32)


def test_a_layer_that_is_not_linear(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="ia3: "):
        make_model(tiny_model("t5"), delta={"type": "ia3", "target_modules": ["layer_norm"]})
    with pytest.raises(ConfigurationError, match="ia3: .*subset"):
        make_model(tiny_model("t5"), delta={"type": "ia3", "target_modules": ["k"], "feedforward_modules": ["wo"]})
