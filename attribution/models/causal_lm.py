"""Decoder-only language models: Llama, GPT-2 and their like."""

from functools import cached_property
from typing import Any, List

import torch
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from torch.nn.utils.rnn import pad_sequence

from attribution.data.fields import TokenIds
from attribution.models.prompted_model import PromptedModel
from attribution.models.reading.choice import generates_padded
from attribution.models.reading.reading import by_length


@Model.register("causal_lm")
class CausalLM(PromptedModel):
    """
    A decoder-only model trained on the right option after each prompt, evaluated by rank classification.

    Registered as a `Model` with name "causal_lm".

    # Parameters

    model_name : `str`
        A hub id or a local folder that `AutoModelForCausalLM` loads.

    All others are those of `PromptedModel`.
    """

    encoder_decoder = False

    def __init__(self, vocab: Vocabulary, model_name: str, **kwargs: Any) -> None:
        super().__init__(vocab, model_name, **kwargs)

    @cached_property
    def _pads_prompts(self) -> bool:
        """Whether prompts of unequal length may go together."""
        # Without a shared prompt nothing says that padding does not count.
        return self.reading.pads_prompts and generates_padded(self.reading)

    def _generate(self, prompts: TokenIds) -> torch.Tensor:
        texts = [ids[mask] for ids, mask in zip(prompts["token_ids"], prompts["mask"])]
        together = [[*range(len(texts))]] if self._pads_prompts else by_length([len(text) for text in texts])
        generated: List[torch.Tensor] = [torch.empty(0)] * len(texts)
        for places in together:
            for place, text in zip(places, self._continue([texts[place] for place in places])):
                generated[place] = text
        return pad_sequence(generated, batch_first=True, padding_value=self.tokenizer.pad_id)

    def _continue(self, texts: List[torch.Tensor]) -> torch.Tensor:
        token_ids = pad_sequence(texts, batch_first=True, padding_side="left")
        mask = pad_sequence([torch.ones_like(ids) for ids in texts], batch_first=True, padding_side="left")
        return self.generate(input_ids=token_ids, attention_mask=mask)[:, token_ids.size(1) :]
