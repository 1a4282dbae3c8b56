"""Decoder-only models: a prompt read once for all of its options, or every pair of prompt and option by itself."""

from typing import Any, Dict, List, Sequence, Tuple

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, PreTrainedModel

from attribution.data.fields import TokenIds
from attribution.models.reading.reading import Reading, ReadPrompts, by_length, selected

# Padded tokens of one pass over pairs: up to how many rows go together, which a CPU's cache does not like, and how many
# there are at most.
_TOGETHER, _AT_MOST = {"cpu": 256}, {"cpu": 2048}
_OF_GPU = 32768
_PADDING = 1.15
"""How much longer than its shortest text the longest of a pass may be."""


class PairByPair(Reading):
    """
    Each prompt with each of its options right behind it, read from the start: right for every model that is causal.

    # Parameters

    apart : `bool`
        Whether only texts of equal length go together, without padding.

    The others are those of `Reading`.
    """

    def __init__(self, transformer: PreTrainedModel, narrow: bool, apart: bool) -> None:
        super().__init__(transformer, narrow)
        self.apart = apart
        self.one_pass = not apart

    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        texts = _texts(prompts)

        def continue_with(rows: torch.Tensor, token_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            options = len(token_ids) // len(rows)
            each = rows.repeat_interleave(options).tolist()
            pairs = [(texts[row], ids[mask]) for row, ids, mask in zip(each, token_ids, wanted)]
            lengths = [len(prompt) + len(option) for prompt, option in pairs]
            passes = by_length(lengths) if self.apart else _rows_together(lengths, options, token_ids.device.type)
            at_most = _AT_MOST.get(token_ids.device.type, _OF_GPU)
            return self._in_passes(pairs, [part for one in passes for part in _parts(one, lengths, at_most)])

        return ReadPrompts(None, prompts["token_ids"].size(1), continue_with)

    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        pairs = list(zip(_texts(prompts), _texts(targets)))
        lengths = [len(prompt) + len(option) for prompt, option in pairs]
        return self._in_passes(pairs, by_length(lengths)) if self.apart else self._batch_logits(pairs)

    def _in_passes(
        self, pairs: Sequence[Tuple[torch.Tensor, torch.Tensor]], passes: Sequence[Sequence[int]]
    ) -> torch.Tensor:
        """In the order of the pairs, whatever that of the passes. Shape: (option tokens, vocabulary)."""
        logits: List[torch.Tensor] = [torch.empty(0)] * len(pairs)
        for places in passes:
            found = self._batch_logits([pairs[place] for place in places])
            for place, own in zip(places, found.split([len(pairs[place][1]) for place in places])):
                logits[place] = own
        return torch.cat(logits)

    def _batch_logits(self, pairs: Sequence[Tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        token_ids = pad_sequence([torch.cat(pair) for pair in pairs], batch_first=True)
        mask, predicting = torch.zeros_like(token_ids), torch.zeros_like(token_ids, dtype=torch.bool)
        for row, (prompt, option) in enumerate(pairs):
            mask[row, : len(prompt) + len(option)] = 1
            predicting[row, len(prompt) - 1 : len(prompt) + len(option) - 1] = True
        return self.logits(predicting, input_ids=token_ids, attention_mask=mask, use_cache=False)[0]


class SharedPrompt(PairByPair):
    """
    Each prompt read once, its keys and values kept for all of its options.

    Prompts are padded on the LEFT, so that an option stands right behind its prompt: models count a sliding window by
    places, and padding between them would use it up. The cache is one that drops nothing: a model's own drops what
    lies outside a window, of short prompts their text and not their padding.

    # Parameters

    positioned : `bool`
        Whether the model is told the positions of tokens; those that take none must count from the mask.

    The others are those of `Reading`.
    """

    pads_prompts = True

    def __init__(self, transformer: PreTrainedModel, narrow: bool, positioned: bool) -> None:
        super().__init__(transformer, narrow, apart=False)
        self.positioned = positioned

    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        # Shape: (batch, length)
        token_ids, mask = on_the_left(prompts)
        # Shape: (batch,)
        lengths = mask.sum(1)
        last = torch.zeros_like(mask)
        last[:, -1] = True
        first_logits, first = self.logits(
            last,
            input_ids=token_ids,
            attention_mask=mask.long(),
            past_key_values=DynamicCache(),
            use_cache=True,
            **self._positions((mask.cumsum(1) - 1).clamp(min=0)),
        )

        def continue_with(rows: torch.Tensor, token_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            each = rows.repeat_interleave(len(token_ids) // len(rows))
            input_ids = token_ids[:, :-1]
            seen = torch.ones_like(input_ids, dtype=torch.bool)
            # Padding behind an option stays where its last token is: there may be no further positions.
            places = (wanted[:, 1:].cumsum(1) - 1).clamp(min=0)
            return self.logits(
                wanted[:, 1:],
                input_ids=input_ids,
                attention_mask=torch.cat([mask[each], seen], dim=1).long(),
                past_key_values=selected(first.past_key_values, each),
                use_cache=True,
                **self._positions(lengths[each].unsqueeze(1) + places),
            )[0]

        return ReadPrompts(first_logits, token_ids.size(1), continue_with)

    def for_generate(self) -> Dict[str, Any]:
        """
        The same cache: the model's own, where it drops what lies outside a window that the layer does not have (Moshi,
        Phi-MoE and Qwen-2-MoE of transformers 4), lets it write another text.
        """
        return {"past_key_values": DynamicCache()}

    def _positions(self, positions: torch.Tensor) -> Dict[str, Any]:
        return {"position_ids": positions} if self.positioned else {}


class WithinLimit(Reading):
    """
    One way for batches whose texts are all within a length, another where one is longer: for models whose rotary
    frequencies change with the longest text of a batch, or with a prefix that padding would push out of their window.

    # Parameters

    limit : `int`
        Tokens of a prompt and an option together.
    within, beyond : `Reading`
    """

    def __init__(self, limit: int, within: Reading, beyond: Reading) -> None:
        super().__init__(within.transformer, within.narrow)
        self.limit = limit
        self.within = within
        self.beyond = beyond
        self.one_pass = within.one_pass and beyond.one_pass

    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        return self._way(prompts, options).read(prompts, options)

    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        return self._way(prompts, targets).target_logits(prompts, targets)

    def for_generate(self) -> Dict[str, Any]:
        return self.within.for_generate()

    def _way(self, prompts: TokenIds, options: TokenIds) -> Reading:
        longest = prompts["token_ids"].size(1) + options["token_ids"].size(1)
        return self.within if longest <= self.limit else self.beyond


def on_the_left(texts: TokenIds) -> Tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask with their padding on the left. Shapes: (batch, length)."""
    token_ids, mask = texts["token_ids"], texts["mask"]
    length = token_ids.size(1)
    places = torch.arange(length, device=mask.device)
    # Shape: (batch, length)
    source = (places - (length - mask.sum(1, keepdim=True))) % length
    return token_ids.gather(1, source), mask.gather(1, source)


def _texts(padded: TokenIds) -> List[torch.Tensor]:
    return [ids[mask] for ids, mask in zip(padded["token_ids"], padded["mask"])]


def _rows_together(lengths: Sequence[int], options: int, device: str) -> List[List[int]]:
    """The places of whole rows, of so many options each: several of similar length where they are short."""
    rows = [range(first, first + options) for first in range(0, len(lengths), options)]
    passes: List[List[int]] = []
    for row in sorted(rows, key=lambda row: max(lengths[place] for place in row)):
        longest = max(lengths[place] for place in row)
        small = bool(passes) and longest * (len(passes[-1]) + options) <= _TOGETHER.get(device, _OF_GPU)
        if small and longest <= _PADDING * lengths[passes[-1][0]]:
            passes[-1].extend(row)
        else:
            passes.append(list(row))
    return passes


def _parts(places: Sequence[int], lengths: Sequence[int], at_most: int) -> List[Sequence[int]]:
    """A pass, or several of as many texts each where it has more padded tokens than that."""
    longest = max(lengths[place] for place in places)
    parts = min(len(places), -(-longest * len(places) // at_most))
    size = -(-len(places) // parts)
    return [places[first : first + size] for first in range(0, len(places), size)]
