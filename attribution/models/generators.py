"""DEFT's models of tasks whose answers are written, not chosen."""

from typing import Any

from allennlp.data import Vocabulary
from allennlp.models.model import Model

from attribution.metrics import Drop, NaturalInstructions
from attribution.models.seq2seq import Seq2Seq


@Model.register("drop_model")
class DropModel(Seq2Seq):
    """
    A `seq2seq` model that writes its answers greedily, evaluated by DROP's metric (its `drop_reader` has the answers).

    Registered as a `Model` with name "drop_model".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-small-lm-adapt"`)
        A hub id or a local folder that `AutoModelForSeq2SeqLM` loads.
    max_length : `int`, optional (default = `128`)
        The most tokens of an answer.

    All others are those of `Seq2Seq`; `generation` and `metrics` are set.
    """

    def __init__(
        self, vocab: Vocabulary, model_name: str = "google/t5-small-lm-adapt", max_length: int = 128, **kwargs: Any
    ) -> None:
        super().__init__(vocab, model_name, generation={"max_new_tokens": max_length}, metrics=[Drop()], **kwargs)


@Model.register("ni_model")
class NaturalInstructionsModel(Seq2Seq):
    """
    A `seq2seq` model that writes its answers greedily, evaluated by the metrics of Super-NaturalInstructions (its
    `ni_reader` has the references). Needs the extra `metrics`.

    Registered as a `Model` with name "ni_model".

    # Parameters

    model_name : `str`, optional (default = `"google/t5-small-lm-adapt"`)
        A hub id or a local folder that `AutoModelForSeq2SeqLM` loads.
    max_length : `int`, optional (default = `128`)
        The most tokens of an answer.

    All others are those of `Seq2Seq`; `generation` and `metrics` are set.
    """

    def __init__(
        self, vocab: Vocabulary, model_name: str = "google/t5-small-lm-adapt", max_length: int = 128, **kwargs: Any
    ) -> None:
        metrics = [NaturalInstructions()]
        super().__init__(vocab, model_name, generation={"max_new_tokens": max_length}, metrics=metrics, **kwargs)
