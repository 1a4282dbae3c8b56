from attribution.models.causal_lm import CausalLM
from attribution.models.prompted_model import PromptedModel
from attribution.models.seq2seq import LoadSeq2Seq, Seq2Seq

__all__ = ["CausalLM", "LoadSeq2Seq", "PromptedModel", "Seq2Seq"]
