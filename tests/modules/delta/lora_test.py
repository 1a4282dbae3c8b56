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


@pytest.mark.parametrize("initialisation, bound", [("standard", 16**-0.5), ("published", 4**-0.5)])
def test_initialisation(initialisation: str, bound: float, tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("t5"), delta={"type": "lora", "r": 4, "initialisation": initialisation})
    drawn = torch.cat([weight.flatten() for name, weight in model.state_dict().items() if "lora_A" in name])
    assert 0.9 * bound < drawn.abs().max() <= bound
    with pytest.raises(ConfigurationError, match="initialisation 'wide' is none of standard, published"):
        make_model(tiny_model("t5"), delta={"type": "lora", "initialisation": "wide"})


def test_no_target_modules(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="`target_modules` is empty"):
        make_model(tiny_model("t5"), delta={"type": "lora", "target_modules": []})
