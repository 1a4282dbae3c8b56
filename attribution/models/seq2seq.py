"""Encoder-decoder language models: T5, BART, Marian, EncoderDecoder and their like."""

from typing import Any, Optional

import torch
from allennlp.data import Vocabulary
from allennlp.models.model import Model

from attribution.data.fields import TokenIds
from attribution.models.prompted_model import PromptedModel
from attribution.models.reading.seq2seq import SharedEncoder


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
    reading: SharedEncoder

    def __init__(self, vocab: Vocabulary, model_name: str = "google/t5-xl-lm-adapt", **kwargs: Any) -> None:
        super().__init__(vocab, model_name, **kwargs)

    def remember(self, prompts: TokenIds) -> TokenIds:
        """With the encoder's `states`, where all that is trained is in the decoder."""
        transformer: Any = self.transformer
        of_decoder = {id(weight) for weight in transformer.get_decoder().parameters()}
        if not all(id(weight) in of_decoder for weight in transformer.parameters() if weight.requires_grad):
            return prompts
        return {**prompts, "states": self.reading.encode(prompts)}

    def _generate(self, prompts: TokenIds) -> torch.Tensor:
        inputs = {
            "input_ids": prompts["token_ids"],
            "attention_mask": prompts["mask"].long(),
            "encoder_outputs": self.reading.outputs(self.reading.encode(prompts)),
        }
        if getattr(self.transformer.generation_config, "decoder_start_token_id", None) is None:
            inputs["decoder_start_token_id"] = self.reading.start
        return self.generate(**inputs)


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
