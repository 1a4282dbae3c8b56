"""Layouts, shapes and masks; the whole is in prefix_test.py."""

from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.prefix_attention import PrefixEncoder, add_prefixes, key_shape, with_prefix
from attribution.modules.delta.sublayers import SELF_ATTENTION, find
from tests.models.conftest import make_model


def test_a_layers_own_part() -> None:
    encoder = PrefixEncoder([(1, 2), (2, 2)], tokens=2)
    assert encoder.embedding.weight.shape == (2, 12)
    encoder.embedding.weight.data = torch.arange(24.0).view(2, 12)
    keys, values = encoder(0)
    assert keys.tolist() == [[[0, 1], [12, 13]]] and values.tolist() == [[[2, 3], [14, 15]]]
    keys, values = encoder(1)
    assert keys.tolist() == [[[4, 5], [16, 17]], [[6, 7], [18, 19]]]
    assert values.tolist() == [[[8, 9], [20, 21]], [[10, 11], [22, 23]]]


@pytest.mark.parametrize("model, shape", [("t5", (2, 8)), ("bart", (2, 8)), ("llama", (1, 8)), ("gpt2", (2, 8))])
def test_key_shape(model: str, shape: Any, tiny_model: Callable[[str], str]) -> None:
    kind = "causal_lm" if model in ("llama", "gpt2") else "seq2seq"
    transformer = make_model(tiny_model(model), type=kind).transformer
    assert {key_shape(attention) for _, attention in find(transformer, SELF_ATTENTION, "x")} == {shape}
    with pytest.raises(ConfigurationError, match="its heads have no size"):
        key_shape(transformer)


class Layer(torch.nn.Module):
    is_causal = True


@pytest.mark.parametrize("cached", [0, 2])
def test_text_sees_the_prefix_and_what_is_before_it(cached: int) -> None:
    layer = Layer()
    layer.attribution_prefix = _prefix(2)  # type: ignore[assignment]
    key = torch.zeros(1, 1, 3 + cached, 4)
    key, value, mask, bias = with_prefix(layer, torch.zeros(1, 1, 3, 4), key, key, None, None)
    assert key.shape == value.shape == (1, 1, 5 + cached, 4) and mask is not None and bias is None
    assert mask[0, 0].int().tolist() == [
        [1] * (2 + cached) + [1, 0, 0],
        [1] * (2 + cached) + [1, 1, 0],
        [1] * (2 + cached) + [1, 1, 1],
    ]
    given = torch.full((1, 1, 3, 3 + cached), -1.0)
    _, _, mask, _ = with_prefix(layer, torch.zeros(1, 1, 3, 4), key[:, :, 2:], value[:, :, 2:], given, None)
    assert mask is not None and mask[0, 0, 0].tolist() == [0, 0] + [-1] * (3 + cached)


def test_a_layer_without_a_prefix() -> None:
    key = torch.zeros(1, 1, 3, 4)
    assert with_prefix(Layer(), key, key, key, None, None) == (key, key, None, None)


def test_an_attention_that_cannot_be_changed(tiny_model: Callable[[str], str]) -> None:
    layer = Layer()
    layer.config = make_model(tiny_model("t5")).transformer.config  # type: ignore[assignment]
    with pytest.raises(ConfigurationError, match="a prefix in Layer: .* does not look its attention"):
        add_prefixes([layer], PrefixEncoder([(1, 2)], 2), positioned=True)


def _prefix(tokens: int) -> Any:
    from attribution.modules.delta.prefix_attention import _LayerPrefix

    return _LayerPrefix(PrefixEncoder([(1, 4)], tokens), 0, None)
