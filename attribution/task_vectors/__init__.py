from attribution.task_vectors.fisher import FisherEmbedder
from attribution.task_vectors.random_embedder import RandomEmbedder
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows
from attribution.task_vectors.task_vectors import TaskVectors, principal_components
from attribution.task_vectors.text_embedder import TextEmbedder
from attribution.task_vectors.tuned_text_embedder import TunedTextEmbedder

__all__ = [
    "FisherEmbedder",
    "RandomEmbedder",
    "TaskEmbedder",
    "TaskRows",
    "TaskVectors",
    "TextEmbedder",
    "TunedTextEmbedder",
    "principal_components",
]
