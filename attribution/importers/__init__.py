from attribution.importers.deft_index import DeftIndex
from attribution.importers.deft_weights import DeftIA3, DeftWeights
from attribution.importers.delta_checkpoint import DeltaCheckpoint
from attribution.importers.importer import Importer
from attribution.importers.recross_memory import ReCrossMemory
from attribution.importers.scores import Scores
from attribution.importers.task_moe import TaskMixture
from attribution.importers.task_vectors import PublishedTaskVectors

__all__ = [
    "DeftIA3",
    "DeftIndex",
    "DeftWeights",
    "DeltaCheckpoint",
    "Importer",
    "PublishedTaskVectors",
    "ReCrossMemory",
    "Scores",
    "TaskMixture",
]
