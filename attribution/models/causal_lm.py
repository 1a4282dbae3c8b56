"""Decoder-only language models: Llama, GPT-2 and their like."""

from typing import Any, Tuple

import torch
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from torch.nn.utils.rnn import pad_sequence

from attribution.data.fields import TokenIds
from attribution.models.option_scoring import ReadPrompts, logits_at, read_causal
from attribution.models.prompted_model import PromptedModel


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

    def read(self, prompts: TokenIds) -> ReadPrompts:
        return read_causal(self.transformer, prompts)

    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        token_ids, mask, predicting = _joined(prompts, targets)
        with logits_at(self.transformer, predicting):
            return self.transformer(input_ids=token_ids, attention_mask=mask, use_cache=False).logits

    def _generate(self, prompts: TokenIds) -> torch.Tensor:
        texts = [ids[mask] for ids, mask in zip(prompts["token_ids"], prompts["mask"])]
        token_ids = pad_sequence(texts, batch_first=True, padding_side="left")
        mask = pad_sequence([torch.ones_like(ids) for ids in texts], batch_first=True, padding_side="left")
        generated = self.generate(
            input_ids=token_ids,
            attention_mask=mask,
        )
        return generated[:, token_ids.size(1) :]


def _joined(prompts: TokenIds, targets: TokenIds) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    Each prompt with its target right behind it, padded on the right.

    # Returns

    Token ids, attention mask, and the positions that predict a target token. Shapes: (batch, length).
    """
    pairs = [
        (prompt[prompt_mask], target[target_mask])
        for prompt, prompt_mask, target, target_mask in zip(
            prompts["token_ids"], prompts["mask"], targets["token_ids"], targets["mask"]
        )
    ]
    token_ids = pad_sequence([torch.cat(pair) for pair in pairs], batch_first=True)
    mask = pad_sequence([torch.ones_like(torch.cat(pair)) for pair in pairs], batch_first=True)
    predicting = torch.zeros_like(mask, dtype=torch.bool)
    for row, (prompt, target) in enumerate(pairs):
        predicting[row, len(prompt) - 1 : len(prompt) + len(target) - 1] = True
    return token_ids, mask, predicting
