"""
Learned keys and values before those of the text, in the attention itself.

They are added where `transformers` looks up its attention function, after the cache: caches hold the text alone, so
that generation, gradient checkpointing and keys shared between answer options work as without them.
"""

import sys
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
import transformers
from allennlp.common.checks import ConfigurationError
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_NAME = "attribution_prefix"
_PREFIX = "attribution_prefix"
_HEAD_SIZES = ("head_dim", "key_value_proj_dim", "attention_head_size")
_KEYS = ("k", "k_proj", "key")


class PrefixEncoder(torch.nn.Module):
    """
    The keys and values of some attention layers' virtual tokens.

    # Parameters

    shapes : `Sequence[Tuple[int, int]]`
        (heads, head size) of each layer's keys.
    tokens : `int`
        Virtual tokens.
    hidden_size : `int`, optional
        If given they come from an embedding, E, by two linear layers shared between the tokens: tanh(E W1) W2.
        Otherwise they are parameters themselves, laid out as PEFT does: token, layer, key or value, head.
    width : `int`, optional
        The embedding's size.
    bias : `bool`, optional (default = `False`)
        Biases in both linear layers.
    std : `float`, optional (default = `0.02`)
        The embedding is drawn from N(0, std).
    legacy_layout : `bool`, optional (default = `False`)
        With `hidden_size`: what the linear layers put out is read as if its first dimension were not the tokens but the
        attention layers, so that a layer's keys and values come from some of the embedding's rows, and from no others.
    """

    def __init__(
        self,
        shapes: Sequence[Tuple[int, int]],
        tokens: int,
        hidden_size: Optional[int] = None,
        width: int = 0,
        bias: bool = False,
        std: float = 0.02,
        legacy_layout: bool = False,
    ) -> None:
        super().__init__()
        self.shapes = list(shapes)
        self.tokens = tokens
        self.ends = torch.tensor([2 * heads * size for heads, size in shapes], device="cpu").cumsum(0).tolist()
        if hidden_size is None:
            self.embedding = torch.nn.Embedding(tokens, self.ends[-1])
        else:
            self.embedding = torch.nn.Embedding(tokens, width)
            self.down = torch.nn.Linear(width, hidden_size, bias=bias)
            self.up = torch.nn.Linear(hidden_size, self.ends[-1], bias=bias)
        self.projected = hidden_size is not None
        self.legacy_layout = legacy_layout
        torch.nn.init.normal_(self.embedding.weight, std=std)

    def forward(self, layer: int) -> Tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of a layer. Shape of each: (heads, tokens, head size)."""
        heads, size = self.shapes[layer]
        end = self.ends[layer]
        if self.legacy_layout:
            keys, values = self._legacy(end - 2 * heads * size, end).view(2, heads, self.tokens, size)
            return keys, values
        part = slice(end - 2 * heads * size, end)
        if self.projected:
            bias = None if self.up.bias is None else self.up.bias[part]
            states = F.linear(torch.tanh(self.down(self.embedding.weight)), self.up.weight[part], bias)
        else:
            states = self.embedding.weight[:, part]
        keys, values = states.view(self.tokens, 2, heads, size).permute(1, 2, 0, 3)
        return keys, values

    def _legacy(self, start: int, end: int) -> torch.Tensor:
        """Of all that is put out, row after row, the numbers in the place of so many columns of all rows."""
        width = self.ends[-1]
        first, last = self.tokens * start, self.tokens * end
        rows = slice(first // width, -(-last // width))
        states = self.up(torch.tanh(self.down(self.embedding.weight[rows]))).flatten()
        return states[first - rows.start * width : last - rows.start * width]


class _LayerPrefix(NamedTuple):
    """In a tuple torch does not count the modules once more."""

    encoder: PrefixEncoder
    layer: int
    relative: Optional[Any]
    """T5's attention layer that has the position bias (UMT5: its own), where virtual tokens stand before the text."""


def key_shape(attention: Any) -> Tuple[int, int]:
    """(heads, head size) of an attention layer's keys."""
    size = next((getattr(attention, name) for name in _HEAD_SIZES if hasattr(attention, name)), None)
    if size is None:
        raise ConfigurationError(f"a prefix in {type(attention).__name__}: its heads have no size that is known")
    width = next((getattr(attention, name).out_features for name in _KEYS if hasattr(attention, name)), None)
    heads = getattr(attention, "num_heads", None) if width is None else width // size
    if heads is None:
        raise ConfigurationError(f"a prefix in {type(attention).__name__}: how many heads it has is not known")
    return heads, size


def add_prefixes(
    attentions: List[torch.nn.Module], encoder: PrefixEncoder, positioned: bool, layers: Optional[List[int]] = None
) -> None:
    """
    Puts virtual tokens before the keys and values of attention layers.

    # Parameters

    layers : `List[int]`, optional
        Which of the encoder's each of them takes; by default in their order.
    positioned : `bool`
        Whether they have positions before the text's where those are relative (T5); otherwise no position bias.

    # Raises

    `ConfigurationError` if `transformers` does not look up the attention function of this model, or it is not
    PyTorch's own.
    """
    relative = next((module for module in attentions if getattr(module, "has_relative_attention_bias", False)), None)
    for layer, attention in zip(layers or range(len(attentions)), attentions):
        config: Any = getattr(attention, "config", None)
        if config is None or not hasattr(sys.modules[type(attention).__module__], "ALL_ATTENTION_FUNCTIONS"):
            raise ConfigurationError(
                f"a prefix in {type(attention).__name__}: transformers {transformers.__version__} does not look its "
                "attention function up"
            )
        if config._attn_implementation not in ("sdpa", _NAME):
            raise ConfigurationError(
                f"a prefix in {type(attention).__name__}: its attention is {config._attn_implementation}, not sdpa"
            )
        config._attn_implementation = _NAME
        own = attention if getattr(attention, "has_relative_attention_bias", False) else relative
        setattr(attention, _PREFIX, _LayerPrefix(encoder, layer, own if positioned else None))


def with_prefix(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    position_bias: Optional[torch.Tensor],
) -> Tuple[torch.Tensor, torch.Tensor, Optional[torch.Tensor], Optional[torch.Tensor]]:
    """
    Keys, values, mask and position bias with the virtual tokens of this layer, where it has any, before the text.

    # Parameters

    query, key, value : `torch.Tensor`
        Shape: (batch, heads, length, head size).
    attention_mask, position_bias : `torch.Tensor`, optional
        Shape: (batch or 1, heads or 1, queries, keys).
    """
    prefix: Optional[_LayerPrefix] = getattr(module, _PREFIX, None)
    if prefix is None:
        return key, value, attention_mask, position_bias
    tokens, queries, keys = prefix.encoder.tokens, query.size(2), key.size(2)
    if attention_mask is None and queries > 1 and getattr(module, "is_causal", True):
        attention_mask = torch.ones(queries, keys, dtype=torch.bool, device=key.device).tril(keys - queries)[None, None]
    if attention_mask is not None:
        attention_mask = F.pad(attention_mask, (tokens, 0), value=1 if attention_mask.dtype == torch.bool else 0)
    if position_bias is not None and prefix.relative is not None:
        seen = tokens + keys - queries
        bias = prefix.relative.compute_bias(queries, tokens, device=query.device, past_seen_tokens=seen)
        position_bias = torch.cat([bias.to(position_bias), position_bias], dim=3)
    elif position_bias is not None:
        position_bias = F.pad(position_bias, (tokens, 0))
    key, value = (
        torch.cat([new.to(text).expand(len(text), -1, -1, -1), text], dim=2)
        for new, text in zip(prefix.encoder(prefix.layer), (key, value))
    )
    return key, value, attention_mask, position_bias


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Optional[torch.Tensor],
    position_bias: Optional[torch.Tensor] = None,
    **kwargs: Any,
) -> Tuple[torch.Tensor, None]:
    """`transformers`' own attention, after the virtual tokens of this layer, where it has any."""
    key, value, attention_mask, position_bias = with_prefix(module, query, key, value, attention_mask, position_bias)
    if position_bias is not None:
        kwargs["position_bias"] = position_bias
    if attention_mask is not None:
        kwargs["is_causal"] = False  # The mask says it all.
    return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)


AttentionInterface.register(_NAME, attend)
AttentionMaskInterface.register(_NAME, sdpa_mask)
