from attribution.similarity.grand import GraNd
from attribution.similarity.heat_map import draw_heat_map
from attribution.similarity.hidden_cosine import HiddenCosine
from attribution.similarity.linear_cka import common_rows, linear_cka
from attribution.similarity.parameter_cosine import ParameterCosine
from attribution.similarity.prediction_similarity import EL2N, KL, LogitLabelCosine, Loss
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.similarity_matrix import SimilarityMatrix
from attribution.similarity.target_task import LabelledBatch, TargetTask, labelled_batches
from attribution.similarity.task_similarity import PartScores, TaskSimilarity

__all__ = [
    "EL2N",
    "KL",
    "GraNd",
    "HiddenCosine",
    "LabelledBatch",
    "LogitLabelCosine",
    "Loss",
    "ParameterCosine",
    "PartScores",
    "ResidentModel",
    "SimilarityMatrix",
    "TargetTask",
    "TaskSimilarity",
    "common_rows",
    "draw_heat_map",
    "labelled_batches",
    "linear_cka",
]
