"""Encoder-decoders: a prompt encoded once for all of its options."""

from typing import Any, Dict, Optional

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from attribution.data.fields import TokenIds
from attribution.models.reading.reading import Reading, ReadPrompts, by_length, selected
from attribution.models.reading.shared_keys_attention import shared_keys


class SharedEncoder(Reading):
    """
    Each prompt encoded once.

    # Parameters

    start : `int`, optional
        The token that every target begins after; None: the target's own last token, as mBART and PLBart have it.
    cached : `bool`
        Whether the cross-attention's keys and values, and the decoder's step from `start`, are kept for all options;
        otherwise the decoder reads every option by itself.
    sharing : `bool`
        Whether options read these keys in place (`shared_keys_attention`) and not from copies.
    apart : `bool`
        Whether only prompts of equal length are encoded together, without padding.

    The others are those of `Reading`.
    """

    def __init__(
        self, transformer: PreTrainedModel, narrow: bool, start: Optional[int], cached: bool, sharing: bool, apart: bool
    ) -> None:
        super().__init__(transformer, narrow)
        self.start = start
        self.cached = cached
        self.sharing = sharing
        self.apart = apart
        self.one_pass = not apart
        self._output_class: Any = BaseModelOutput

    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        mask = prompts["mask"].long()
        states = self.encode(prompts)
        if not self.cached:

            def read_whole(rows: torch.Tensor, token_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
                each = rows.repeat_interleave(len(token_ids) // len(rows))
                return self._decoded(states[each], mask[each], token_ids, wanted)

            return ReadPrompts(None, mask.size(1), read_whole)
        starts = mask.new_full((len(mask), 1), 0 if self.start is None else self.start)
        # Shape of the logits: (batch, vocabulary)
        first_logits, first = self.logits(
            torch.ones_like(starts, dtype=torch.bool),
            encoder_outputs=self.outputs(states),
            attention_mask=mask,
            decoder_input_ids=starts,
            past_key_values=_empty_cache(),
            use_cache=True,
        )
        known = self.start is not None

        def continue_with(rows: torch.Tensor, token_ids: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
            each = rows.repeat_interleave(len(token_ids) // len(rows))
            own, cross = first.past_key_values.self_attention_cache, first.past_key_values.cross_attention_cache
            cache = EncoderDecoderCache(
                selected(own, each) if known else DynamicCache(), selected(cross, rows if self.sharing else each)
            )
            # The decoder takes its keys and values from the cache: of the encoder's states it reads the shape alone.
            shape = states[:1].expand(len(each), -1, -1)
            with shared_keys(self.transformer.get_decoder(), self.sharing):
                return self.logits(
                    wanted[:, 1:] if known else wanted,
                    encoder_outputs=self.outputs(shape),
                    attention_mask=mask[each],
                    decoder_input_ids=token_ids[:, :-1] if known else self._shifted(token_ids, wanted),
                    past_key_values=cache,
                    use_cache=True,
                )[0]

        return ReadPrompts(first_logits if known else None, mask.size(1), continue_with)

    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        token_ids, mask = targets["token_ids"], targets["mask"]
        if self.apart or "states" in prompts:
            return self._decoded(self.encode(prompts), prompts["mask"].long(), token_ids, mask)
        return self.logits(
            mask,
            input_ids=prompts["token_ids"],
            attention_mask=prompts["mask"].long(),
            decoder_input_ids=self._shifted(token_ids, mask),
            use_cache=False,
        )[0]

    def for_generate(self) -> Dict[str, Any]:
        return {**self._settings, **({"past_key_values": _empty_cache()} if self.cached else {})}

    def encode(self, prompts: TokenIds) -> torch.Tensor:
        """The encoder's states, or those that are in `prompts` already. Shape: (batch, length, dimension)."""
        if "states" in prompts:
            return prompts["states"]
        encoder = self.transformer.get_encoder()
        token_ids, mask = prompts["token_ids"], prompts["mask"]
        if not self.apart:
            encoded = encoder(input_ids=token_ids, attention_mask=mask.long())
            self._output_class = type(encoded)
            return encoded[0]
        lengths = mask.sum(1).tolist()
        states = [torch.empty(0)] * len(lengths)
        for places in by_length(lengths):
            texts = token_ids[places, : lengths[places[0]]]
            encoded = encoder(input_ids=texts, attention_mask=torch.ones_like(texts))
            self._output_class = type(encoded)
            for place, own in zip(places, encoded[0]):
                states[place] = own
        return pad_sequence(states, batch_first=True)

    def _decoded(
        self, states: torch.Tensor, mask: torch.Tensor, token_ids: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        return self.logits(
            wanted,
            encoder_outputs=self.outputs(states),
            attention_mask=mask,
            decoder_input_ids=self._shifted(token_ids, wanted),
            use_cache=False,
        )[0]

    def _shifted(self, token_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What the decoder reads before each of these tokens. Shape: (texts, length)."""
        if self.start is not None:
            first = token_ids.new_full((len(token_ids), 1), self.start)
        else:
            first = token_ids.gather(1, mask.sum(1, keepdim=True) - 1)
        return torch.cat([first, token_ids[:, :-1]], dim=1)

    def outputs(self, states: torch.Tensor) -> Any:
        """
        As the encoder itself gives them: some models ask for `last_hidden_state` or `router_logits` by name.
        """
        return self._output_class(last_hidden_state=states)


def _empty_cache() -> EncoderDecoderCache:
    """
    One that drops nothing: T5Gemma's own, of transformers 4, has the decoder's sliding window for the encoder's states.
    """
    return EncoderDecoderCache(DynamicCache(), DynamicCache())
