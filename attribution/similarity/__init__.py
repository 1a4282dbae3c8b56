from attribution.similarity.grand import GraNd
from attribution.similarity.grand_per_example import GraNdPerExample
from attribution.similarity.heat_map import draw_heat_map
from attribution.similarity.hidden_cosine import HiddenCosine
from attribution.similarity.kernel_alignment import KernelAlignment
from attribution.similarity.kernel_cka import kernel_cka
from attribution.similarity.linear_cka import common_rows, linear_cka
from attribution.similarity.parameter_similarity import Euclidean, ParameterCosine
from attribution.similarity.performance import Performance
from attribution.similarity.prediction_similarity import EL2N, KL, LogitLabelCosine, Loss
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.result_tsv import ResultTsv, read_result_tsv, write_result_tsv
from attribution.similarity.retrieval_overlap import RetrievalOverlap
from attribution.similarity.similarity_matrix import SimilarityMatrix
from attribution.similarity.target_task import LabelledBatch, TargetTask, labelled_batches
from attribution.similarity.task_categories import (
    CategoryCorrelation,
    FeatureCorrelation,
    correlate,
    correlate_features,
    read_categories,
    read_features,
)
from attribution.similarity.task_routes import TaskRoutes, routes_of_model
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity

__all__ = [
    "EL2N",
    "KL",
    "CategoryCorrelation",
    "Euclidean",
    "FeatureCorrelation",
    "GraNd",
    "GraNdPerExample",
    "HiddenCosine",
    "KernelAlignment",
    "LabelledBatch",
    "LogitLabelCosine",
    "Loss",
    "ParameterCosine",
    "PartScores",
    "Performance",
    "ResidentModel",
    "ResultTsv",
    "RetrievalOverlap",
    "SimilarityMatrix",
    "Source",
    "TargetTask",
    "TaskRoutes",
    "TaskSimilarity",
    "common_rows",
    "correlate",
    "correlate_features",
    "draw_heat_map",
    "kernel_cka",
    "labelled_batches",
    "linear_cka",
    "read_categories",
    "read_features",
    "read_result_tsv",
    "routes_of_model",
    "write_result_tsv",
]
