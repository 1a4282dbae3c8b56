"""What holds for every router."""

from typing import Any

import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe import Router

LEARNED = [name for name in Router.list_available() if name != "arrow"]
LAYERS, COUNT, SIZE = 5, 3, 8


def router(name: str, **settings: Any) -> Router:
    torch.manual_seed(4)
    lazy = Lazy(Router.by_name(name), Params({"hidden_size": 4, **settings}))
    return lazy.construct(layers=LAYERS, experts=COUNT, input_size=SIZE)


@pytest.mark.parametrize("layer_specific", [True, False])
@pytest.mark.parametrize("name", LEARNED)
def test_logits_depend_on_task_and_layer_and_not_on_the_batch(name: str, layer_specific: bool) -> None:
    one = router(name, layer_specific=layer_specific).eval()
    vectors = torch.randn(4, SIZE)
    logits = one(vectors)
    assert logits.shape == (LAYERS, 4, COUNT)
    assert torch.allclose(logits[:, 2:3], one(vectors[2:3]), atol=1e-6)
    assert not torch.allclose(logits[:, 0], logits[:, 1]) and not torch.allclose(logits[0], logits[1])
    logits.square().sum().backward()
    assert all(weight.grad is not None for weight in one.parameters())


def test_linear_by_hand() -> None:
    vectors = torch.randn(2, SIZE)
    for layer_specific in (True, False):
        one: Any = router("linear", layer_specific=layer_specific)
        for layer in range(LAYERS):
            first, _, second = one.routers[layer if layer_specific else 0]
            rows = slice(None) if layer_specific else slice(layer * COUNT, (layer + 1) * COUNT)
            hidden = torch.nn.functional.gelu(vectors @ first.weight.T + first.bias)
            right = hidden @ second.weight[rows].T + second.bias[rows]
            assert torch.allclose(one(vectors)[layer], right, atol=1e-6)


def test_sizes_as_published() -> None:
    one = Lazy(Router.by_name("linear"), Params({"layer_specific": True})).construct(
        layers=12, experts=3, input_size=128
    )
    assert sum(weight.numel() for weight in one.parameters()) == 12 * (128 * 64 + 64 + 64 * 3 + 3)


@pytest.mark.parametrize(
    "name, settings, message",
    [("linear", {"hidden_size": 0}, "hidden_size is 0"), ("transformer", {"heads": 3}, "does not divide the width 8")],
)
def test_wrong_settings(name: str, settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        router(name, **settings)
