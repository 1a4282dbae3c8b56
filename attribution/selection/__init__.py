from attribution.selection.baseline_selectors import FixedSelector, HubSelector, RandomSelector, TopKOnTask
from attribution.selection.checkpoint_selector import CheckpointSelector, Selection
from attribution.selection.covariance import TOLERANCE, Covariance
from attribution.selection.covariance_comparison import correlation, kl_divergence
from attribution.selection.covariance_files import own_names, read_covariance
from attribution.selection.exhaustive_selector import ExhaustiveSelector
from attribution.selection.greedy_selectors import MaxEntropy, MaxMutualInformation
from attribution.selection.image_head import ImageHead
from attribution.selection.k_medoids_selector import KMedoidsSelector
from attribution.selection.transferability import h_score, log_me
from attribution.selection.transferability_selectors import HScoreSelector, LogMeSelector

__all__ = [
    "TOLERANCE",
    "CheckpointSelector",
    "Covariance",
    "ExhaustiveSelector",
    "FixedSelector",
    "HScoreSelector",
    "HubSelector",
    "ImageHead",
    "KMedoidsSelector",
    "LogMeSelector",
    "MaxEntropy",
    "MaxMutualInformation",
    "RandomSelector",
    "Selection",
    "correlation",
    "kl_divergence",
    "TopKOnTask",
    "h_score",
    "log_me",
    "own_names",
    "read_covariance",
]
