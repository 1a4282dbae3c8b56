from attribution.models.bi_encoder import BiEncoder
from attribution.models.causal_lm import CausalLM
from attribution.models.delta_seq2seq import IA3Seq2Seq, LoadIA3Seq2Seq, MaMSeq2Seq
from attribution.models.generators import DropModel, NaturalInstructionsModel
from attribution.models.image_classifier import ImageClassifier
from attribution.models.linear_token_probe import LinearTokenProbe
from attribution.models.pair_classifier import PairClassifier
from attribution.models.prompted_model import PromptedModel
from attribution.models.seq2seq import LoadSeq2Seq, Seq2Seq
from attribution.models.task_moe import TaskMoESeq2Seq

__all__ = [
    "BiEncoder",
    "CausalLM",
    "DropModel",
    "IA3Seq2Seq",
    "ImageClassifier",
    "LinearTokenProbe",
    "LoadIA3Seq2Seq",
    "LoadSeq2Seq",
    "MaMSeq2Seq",
    "NaturalInstructionsModel",
    "PairClassifier",
    "PromptedModel",
    "Seq2Seq",
    "TaskMoESeq2Seq",
]
