from attribution.ensembling.concatenation_merger import ConcatenationMerger
from attribution.ensembling.delta_folder import DeltaFolder, common_layout
from attribution.ensembling.delta_merger import DeltaMerger, LinearMerger, PerBlockMerger
from attribution.ensembling.ensemble_weights import EnsembleWeights, TargetLoss, leave_one_out_weights
from attribution.ensembling.held_deltas import HeldDeltas
from attribution.ensembling.learned_weighting import LearnedWeighting
from attribution.ensembling.merge_deltas import merge_deltas
from attribution.ensembling.product_space_merger import ProductSpaceMerger
from attribution.ensembling.ties_merger import TiesMerger
from attribution.ensembling.weighting import (
    GroupWeighting,
    LinearWeighting,
    SimilarityRow,
    SoftmaxWeighting,
    TopKWeighting,
    UniformWeighting,
    Weighting,
)

__all__ = [
    "ConcatenationMerger",
    "DeltaFolder",
    "DeltaMerger",
    "EnsembleWeights",
    "GroupWeighting",
    "HeldDeltas",
    "LearnedWeighting",
    "LinearMerger",
    "LinearWeighting",
    "PerBlockMerger",
    "ProductSpaceMerger",
    "SimilarityRow",
    "SoftmaxWeighting",
    "TargetLoss",
    "TiesMerger",
    "TopKWeighting",
    "UniformWeighting",
    "Weighting",
    "common_layout",
    "leave_one_out_weights",
    "merge_deltas",
]
