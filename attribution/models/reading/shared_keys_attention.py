"""
Attention in which several queries of a batch share one row of keys and values.

The answer options of a prompt attend to the same encoder states. `transformers` would have those keys and values copied
for every option; here the options' queries are laid side by side instead, and the keys and values are read in place.
"""

import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional, Tuple

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from attribution.modules.delta.prefix_attention import attend, with_prefix

_NAME = "attribution_shared_keys"


def shares_keys(decoder: PreTrainedModel) -> bool:
    """Whether this decoder takes its attention from `transformers`' registry (T5 and BERT do from version 5 on)."""
    return bool(getattr(decoder, "_supports_sdpa", False)) and hasattr(
        sys.modules[type(decoder).__module__], "ALL_ATTENTION_FUNCTIONS"
    )


@contextmanager
def shared_keys(decoder: PreTrainedModel, active: bool = True) -> Iterator[None]:
    """
    Within it the decoder's cross-attention accepts a cache with fewer rows than its queries have: row i of the cache
    serves the i-th group of as many queries each.
    """
    configurations: Dict[int, Any] = {
        id(module.config): module.config for module in decoder.modules() if hasattr(module, "config")
    }
    before = [(config, config._attn_implementation) for config in configurations.values()] if active else []
    try:
        for config, _ in before:
            config._attn_implementation = _NAME
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    position_bias: Optional[torch.Tensor] = None,
    **kwargs: Any,
) -> Tuple[torch.Tensor, None]:
    """
    # Parameters

    query : `torch.Tensor`
        Shape: (rows x options, heads, length, head size).
    key, value : `torch.Tensor`
        Shape: (rows, heads, keys, head size), or as many as queries.
    """
    rows, options = len(key), len(query) // len(key)
    if options == 1:
        return attend(module, query, key, value, attention_mask, position_bias, **kwargs)
    key, value, attention_mask, _ = with_prefix(module, query, key, value, attention_mask, position_bias)
    _, heads, length, size = query.shape
    # Shape: (rows, heads, options x length, head size)
    side_by_side = query.view(rows, options, heads, length, size).transpose(1, 2).reshape(rows, heads, -1, size)
    if attention_mask is not None:  # The options of a row have the row's own mask, whatever the position.
        attention_mask = attention_mask[::options, :, :1]
    attended = scaled_dot_product_attention(
        side_by_side,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=kwargs.get("dropout") or 0.0,
        scale=kwargs.get("scaling"),
    )
    # Shape: (rows x options, length, heads, head size)
    apart = attended.view(rows, heads, options, length, size).permute(0, 2, 3, 1, 4)
    return apart.reshape(rows * options, length, heads, size), None


AttentionInterface.register(_NAME, _attend)
AttentionMaskInterface.register(_NAME, sdpa_mask)
