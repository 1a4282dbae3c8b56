"""T5's forward pass by hand, with places for what a delta adds: slow, and none of this package's or PEFT's code."""

from typing import Any, Callable, List, Optional, Tuple

import pytest
import torch
from transformers.models.t5 import modeling_t5

needs_transformers_5 = pytest.mark.skipif(
    not hasattr(modeling_t5, "ALL_ATTENTION_FUNCTIONS"), reason="T5 looks its attention up from transformers 5 on"
)

Prefix = Callable[[str], Optional[Tuple[torch.Tensor, torch.Tensor]]]


def slow_t5(
    model: Any,
    prompt: List[int],
    target: List[int],
    after: Callable[[str, torch.Tensor], torch.Tensor] = lambda place, output: output,
    beside: Callable[[str, torch.Tensor], Any] = lambda place, states: 0,
    prefix: Prefix = lambda place: None,
    positioned: bool = True,
) -> torch.Tensor:
    """
    # Parameters

    model : a T5 as `transformers` made it
    after : (place, output of a sub-layer) -> its output
    beside : (place, normed input of a feed-forward layer) -> what is added to its output
    prefix : place of an attention -> keys and values, shape (heads, tokens, head size), before the text's
    positioned : whether the prefix stands before the text, or has no position bias

    # Returns

    Logits. Shape: (target length, vocabulary).
    """
    encoded = _stack(model.encoder, "encoder", prompt, None, after, beside, prefix, positioned)
    states = _stack(model.decoder, "decoder", target, encoded, after, beside, prefix, positioned)
    if getattr(model.config, "scale_decoder_outputs", model.config.tie_word_embeddings):
        states = states * model.config.d_model**-0.5
    return model.lm_head(states)


def _stack(
    stack: Any, name: str, ids: List[int], encoded: Any, after: Any, beside: Any, prefix: Any, positioned: bool
) -> torch.Tensor:
    states = stack.embed_tokens(torch.tensor(ids))
    first = stack.block[0].layer[0].SelfAttention
    for number, block in enumerate(stack.block):
        for part, layer in enumerate(block.layer):
            place = f"{name}.block.{number}.layer.{part}"
            normed = layer.layer_norm(states)
            if hasattr(layer, "SelfAttention"):
                relative = first if positioned else None
                output = _attend(layer.SelfAttention, first, relative, normed, normed, name == "decoder", prefix(place))
            elif hasattr(layer, "EncDecAttention"):
                output = _attend(layer.EncDecAttention, None, None, normed, encoded, False, prefix(place))
            else:
                output = layer.DenseReluDense(normed) + beside(place, normed)
            states = states + after(place, output)
    return stack.final_layer_norm(states)


def _attend(
    attention: Any,
    text_bias: Any,
    prefix_bias: Any,
    states: torch.Tensor,
    memory: torch.Tensor,
    causal: bool,
    prefix: Optional[Tuple[torch.Tensor, torch.Tensor]],
) -> torch.Tensor:
    heads = []
    size = attention.key_value_proj_dim
    before = 0 if prefix is None else prefix[0].size(1)
    for head in range(attention.n_heads):
        part = slice(head * size, (head + 1) * size)
        query, key, value = (
            layer(source)[:, part]
            for layer, source in ((attention.q, states), (attention.k, memory), (attention.v, memory))
        )
        if prefix is not None:
            key, value = torch.cat([prefix[0][head], key]), torch.cat([prefix[1][head], value])
        scores = query @ key.T
        for row in range(len(states)):
            for column in range(len(key)):
                distance = column - (before + row)
                if column >= before and causal and distance > 0:
                    scores[row, column] = -torch.inf
                bias = text_bias if column >= before else prefix_bias
                if bias is not None:
                    bucket = bias._relative_position_bucket(
                        torch.tensor(distance),
                        bidirectional=not causal,
                        num_buckets=bias.relative_attention_num_buckets,
                        max_distance=bias.relative_attention_max_distance,
                    )
                    scores[row, column] = scores[row, column] + bias.relative_attention_bias.weight[bucket, head]
        heads.append(scores.softmax(-1) @ value)
    return attention.o(torch.cat(heads, dim=1))
