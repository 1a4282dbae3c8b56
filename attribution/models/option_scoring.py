"""
The log-likelihood of every answer option given its prompt (DEFT, Ivison et al., 2023, section 3; T0, Sanh et al.,
2022).

A prompt is read once, whatever the number of its options: its encoder pass, its keys and values and the prediction of
the first option token are shared. An option then costs its own tokens and nothing else, and logits are computed at
those tokens only.
"""

from contextlib import contextmanager
from typing import Any, Callable, Iterator, List, NamedTuple, Tuple

import torch
import torch.nn.functional as F
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from attribution.data.fields import TokenIds
from attribution.models.shared_keys_attention import shared_keys, shares_keys


class ReadPrompts(NamedTuple):
    """A batch of prompts after their one pass through the model."""

    first_logits: torch.Tensor
    """Logits of the first option token. Shape: (batch, vocabulary)."""
    length: int
    """Positions of a prompt that every option attends to, padding included."""
    continue_with: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    """
    (rows (rows,), input ids (rows x options, length), scored (rows x options, length)) -> logits (scored positions,
    vocabulary). Each row has the same number of options, and they stand together.
    """


def option_log_probs(
    prompts: ReadPrompts, options: TokenIds, num_options: torch.Tensor, max_tokens: int
) -> torch.Tensor:
    """
    log p(token | prompt, the option's tokens before it), for every token of every option.

    # Parameters

    prompts : `ReadPrompts`
        From `read_seq2seq` or `read_causal`.
    options : `TokenIds`
        All options of the batch, row by row. Shape: (options, length).
    num_options : `torch.Tensor`
        How many options each prompt has. Shape: (batch,).
    max_tokens : `int`
        A budget of attended positions, options x (prompt + option), for one decoder pass: large sets of options are
        scored in several passes.

    # Returns

    `torch.Tensor`
        float32, 0 at padding. Shape: (options, length).
    """
    token_ids, mask = options["token_ids"], options["mask"]
    lengths = mask.sum(1)
    row_of = torch.arange(len(num_options), device=mask.device).repeat_interleave(num_options)
    # Shape: (options, length)
    log_probs = torch.zeros(token_ids.shape, dtype=torch.float32, device=token_ids.device)
    first_logits = prompts.first_logits.float()
    log_probs[:, 0] = first_logits[row_of, token_ids[:, 0]] - first_logits.logsumexp(-1)[row_of]
    per_pass = max(1, max_tokens // (prompts.length + token_ids.size(1)))
    for block in _blocks(num_options.tolist(), lengths, per_pass):
        # Shape: (rows x options,)
        chosen = block.flatten()
        longest = int(lengths[chosen].max())
        if longest > 1:
            targets, scored = token_ids[chosen, 1:longest], mask[chosen, 1:longest]
            # Shape: (scored positions, vocabulary)
            logits = prompts.continue_with(row_of[block[:, 0]], token_ids[chosen, : longest - 1], scored)
            scores = torch.zeros(targets.shape, dtype=torch.float32, device=targets.device)
            scores[scored] = -F.cross_entropy(logits.float(), targets[scored], reduction="none")
            log_probs[chosen, 1:longest] = scores
    return log_probs


def _blocks(num_options: List[int], lengths: torch.Tensor, per_pass: int) -> Iterator[torch.Tensor]:
    """
    The passes to make: option numbers, shape (rows, options of each), at most `per_pass` of them. Rows with as many
    options go together; those of a row that does not fit into one pass are split, the ones of similar length together.
    """
    starts = torch.tensor([0, *num_options]).cumsum(0)
    for count in sorted(set(num_options)):
        rows = [row for row, options in enumerate(num_options) if options == count]
        # Shape: (rows, count)
        numbers = (starts[rows].unsqueeze(1) + torch.arange(count)).to(lengths.device)
        if count <= per_pass:
            yield from numbers.split(per_pass // count)
        else:
            for row in numbers:
                for part in row[lengths[row].argsort()].split(per_pass):
                    yield part.unsqueeze(0)


def read_seq2seq(transformer: PreTrainedModel, prompts: TokenIds) -> ReadPrompts:
    """Encodes each prompt once and keeps the cross-attention keys and values of every decoder layer."""
    token_ids, mask = prompts["token_ids"], prompts["mask"].long()
    encoded = transformer.get_encoder()(input_ids=token_ids, attention_mask=mask)
    start = token_ids.new_full((len(token_ids), 1), decoder_start_id(transformer))
    first = transformer(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=start, use_cache=True)
    sharing = shares_keys(transformer.get_decoder())

    def continue_with(rows: torch.Tensor, input_ids: torch.Tensor, scored: torch.Tensor) -> torch.Tensor:
        each = rows.repeat_interleave(len(input_ids) // len(rows))
        cache = EncoderDecoderCache(
            _select(first.past_key_values.self_attention_cache, each),
            _select(first.past_key_values.cross_attention_cache, rows if sharing else each),
        )
        # The decoder takes its keys and values from the cache: of the encoder's states it reads the shape alone.
        states = encoded[0][:1].expand(len(each), -1, -1)
        with shared_keys(transformer.get_decoder(), sharing), logits_at(transformer, scored):
            return transformer(
                encoder_outputs=(states,),
                attention_mask=mask[each],
                decoder_input_ids=input_ids,
                past_key_values=cache,
                use_cache=True,
            ).logits

    return ReadPrompts(first.logits[:, -1], token_ids.size(1), continue_with)


def read_causal(transformer: PreTrainedModel, prompts: TokenIds) -> ReadPrompts:
    """Reads each prompt once and keeps the keys and values of every layer."""
    token_ids, mask = prompts["token_ids"], prompts["mask"]
    # Shape: (batch,)
    lengths = mask.sum(1)
    last = torch.arange(token_ids.size(1), device=mask.device) == (lengths - 1).unsqueeze(1)
    with logits_at(transformer, last):
        first = transformer(input_ids=token_ids, attention_mask=mask.long(), use_cache=True)

    def continue_with(rows: torch.Tensor, input_ids: torch.Tensor, scored: torch.Tensor) -> torch.Tensor:
        each = rows.repeat_interleave(len(input_ids) // len(rows))
        # Padding stands between a short prompt and its option: positions go on from the prompt's own length.
        positions = lengths[each].unsqueeze(1) + torch.arange(input_ids.size(1), device=mask.device)
        with logits_at(transformer, scored):
            return transformer(
                input_ids=input_ids,
                attention_mask=torch.cat([mask[each], torch.ones_like(input_ids, dtype=torch.bool)], dim=1).long(),
                position_ids=positions,
                past_key_values=_select(first.past_key_values, each),
                use_cache=True,
            ).logits

    return ReadPrompts(first.logits, token_ids.size(1), continue_with)


@contextmanager
def logits_at(transformer: PreTrainedModel, positions: torch.Tensor) -> Iterator[None]:
    """
    Within it the model computes logits only where `positions` (bool, (batch, length)) is true, in row-major order:
    they come out with shape (true positions, vocabulary).
    """

    def keep(_module: torch.nn.Module, arguments: Tuple[Any, ...]) -> Tuple[torch.Tensor]:
        return (arguments[0][positions],)

    hook = transformer.get_output_embeddings().register_forward_pre_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def decoder_start_id(transformer: PreTrainedModel) -> int:
    """The token that every target begins after: T5's padding, BART's `</s>`, BERT's `[CLS]`."""
    for config in (transformer.config, transformer.generation_config, getattr(transformer.config, "decoder", None)):
        for name in ("decoder_start_token_id", "bos_token_id"):
            if getattr(config, name, None) is not None:
                return getattr(config, name)
    raise ValueError("the model's configuration has no decoder_start_token_id")


def _select(cache: Any, rows: torch.Tensor) -> DynamicCache:
    """A cache with the given rows of the batch, in that order, each as often as it is named."""
    selected = DynamicCache()
    for number, layer in enumerate(cache.layers):
        if len(rows) == len(layer.keys) and bool((rows == torch.arange(len(rows), device=rows.device)).all()):
            keys, values = layer.keys, layer.values
        else:
            keys, values = layer.keys.index_select(0, rows), layer.values.index_select(0, rows)
        selected.update(keys, values, number)
    return selected
