from typing import Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from tests.models.conftest import make_model


def test_the_update_is_alpha_over_r_times_b_a(tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("t5"), delta={"type": "lora", "r": 2, "alpha": 6, "target_modules": ["q"]})
    layer = model.transformer.encoder.block[0].layer[0].SelfAttention.q
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert a.shape == (2, 16) and b.shape == (16, 2) and not b.any()
    torch.nn.init.normal_(b)
    states = torch.randn(3, 16)
    torch.testing.assert_close(layer(states), states @ (layer.base_layer.weight + 6 / 2 * b @ a).T)
    changed = {name.split(".lora_")[0].rsplit(".", 1)[1] for name in model.state_dict()}
    assert changed == {"q"}


def test_no_target_modules(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="`target_modules` is empty"):
        make_model(tiny_model("t5"), delta={"type": "lora", "target_modules": []})
