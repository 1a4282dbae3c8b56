"""Encoder-decoder language models: T5, BART, Marian, EncoderDecoder and their like."""

from typing import Any, Dict, Optional

import torch
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from transformers.modeling_outputs import BaseModelOutput

from attribution.data.fields import TokenIds
from attribution.models.option_scoring import ReadPrompts, decoder_start_id, logits_at, read_seq2seq
from attribution.models.prompted_model import PromptedModel


@Model.register("seq2seq")
class Seq2Seq(PromptedModel):
    """
    An encoder-decoder trained on prompts and their targets, evaluated by rank classification (DEFT, Ivison et al.,
    2023, https://arxiv.org/abs/2212.00196).

    Registered as a `Model` with name "seq2seq".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-xl-lm-adapt"`)
        A hub id or a local folder that `AutoModelForSeq2SeqLM` loads.

    All others are those of `PromptedModel`.
    """

    encoder_decoder = True

    def __init__(self, vocab: Vocabulary, model_name: str = "google/t5-xl-lm-adapt", **kwargs: Any) -> None:
        super().__init__(vocab, model_name, **kwargs)

    def read(self, prompts: TokenIds) -> ReadPrompts:
        return read_seq2seq(self.transformer, prompts)

    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        target_ids, target_mask = targets["token_ids"], targets["mask"]
        start = target_ids.new_full((len(target_ids), 1), decoder_start_id(self.transformer))
        with logits_at(self.transformer, target_mask):
            return self.transformer(
                **_encoded(prompts),
                attention_mask=prompts["mask"].long(),
                decoder_input_ids=torch.cat([start, target_ids[:, :-1]], dim=1),
                use_cache=False,
            ).logits

    def remember(self, prompts: TokenIds) -> TokenIds:
        """With the encoder's `states`, where all that is trained is in the decoder."""
        transformer: Any = self.transformer
        of_decoder = {id(weight) for weight in transformer.get_decoder().parameters()}
        if not all(id(weight) in of_decoder for weight in transformer.parameters() if weight.requires_grad):
            return prompts
        encoder = transformer.get_encoder()
        read = encoder(input_ids=prompts["token_ids"], attention_mask=prompts["mask"].long())
        return {**prompts, "states": read.last_hidden_state}

    def _generate(self, prompts: TokenIds) -> torch.Tensor:
        return self.generate(
            input_ids=prompts["token_ids"],
            attention_mask=prompts["mask"].long(),
            decoder_start_token_id=decoder_start_id(self.transformer),
        )


def _encoded(prompts: TokenIds) -> Dict[str, Any]:
    if "states" in prompts:
        return {"encoder_outputs": BaseModelOutput(last_hidden_state=prompts["states"])}  # type: ignore[arg-type]
    return {"input_ids": prompts["token_ids"]}


@Model.register("load_seq2seq")
class LoadSeq2Seq(Seq2Seq):
    """
    A `seq2seq` model that starts from the weights of another run.

    Registered as a `Model` with name "load_seq2seq".

    # Parameters

    load_from_file : `str`, optional
        A state dict (`.th` or `.safetensors`); another name of `weights_file`.

    All others are those of `Seq2Seq`.
    """

    def __init__(self, vocab: Vocabulary, load_from_file: Optional[str] = None, **kwargs: Any) -> None:
        if load_from_file is not None:
            kwargs["weights_file"] = load_from_file
        super().__init__(vocab, **kwargs)
