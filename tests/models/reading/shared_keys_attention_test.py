from typing import Any, Callable

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from attribution.models.reading.shared_keys_attention import _attend, shared_keys, shares_keys


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("options", [1, 3])
def test_equals_attention_over_copied_keys(options: int, masked: bool) -> None:
    query = torch.randn(2 * options, 4, 5, 8)
    key, value = torch.randn(2, 2, 4, 7, 8)
    mask = (torch.rand(2, 1, 1, 7) > 0.3).repeat_interleave(options, 0).expand(-1, 1, 5, 7) if masked else None
    module: Any = torch.nn.Module()
    module.is_causal = False
    copied = (key.repeat_interleave(options, 0), value.repeat_interleave(options, 0))
    expected, _ = sdpa_attention_forward(module, query, *copied, mask, scaling=0.3)
    attended, _ = _attend(module, query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(attended, expected)


def test_the_configuration_is_as_it_was_afterwards(tiny_model: Callable[[str], str]) -> None:
    decoder = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("bart")).get_decoder()
    assert shares_keys(decoder)
    before = decoder.config._attn_implementation
    with pytest.raises(KeyError), shared_keys(decoder):
        assert decoder.config._attn_implementation != before
        raise KeyError
    assert decoder.config._attn_implementation == before
    with shared_keys(decoder, active=False):
        assert decoder.config._attn_implementation == before


def test_dropout_in_training() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(4, 2, 3, 5), torch.randn(2, 2, 6, 5)
    attended = [_attend(torch.nn.Module(), query, key, key, None, dropout=rate)[0] for rate in (0.0, 0.5)]
    assert not torch.allclose(*attended)
