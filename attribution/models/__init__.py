from attribution.models.causal_lm import CausalLM
from attribution.models.generators import DropModel, NaturalInstructionsModel
from attribution.models.prompted_model import PromptedModel
from attribution.models.seq2seq import LoadSeq2Seq, Seq2Seq

__all__ = ["CausalLM", "DropModel", "LoadSeq2Seq", "NaturalInstructionsModel", "PromptedModel", "Seq2Seq"]
