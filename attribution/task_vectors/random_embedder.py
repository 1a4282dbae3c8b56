"""Vectors that say nothing."""

from hashlib import blake2b
from typing import Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.similarity import ResidentModel
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows


@TaskEmbedder.register("random")
class RandomEmbedder(TaskEmbedder):
    """
    A normal vector for each name, the same whatever the other tasks are: a start for training, or a baseline.

    Registered as a `TaskEmbedder` with name "random".

    # Parameters

    dimension : `int`, optional (default = `768`)
    seed : `int`, optional (default = `0`)
    """

    needs_inputs = False

    def __init__(self, dimension: int = 768, seed: int = 0) -> None:
        if dimension < 1:
            raise ConfigurationError(f"embedder: dimension is {dimension}; at least one is needed")
        self.dimension = dimension
        self.seed = seed

    def embed(self, task: TaskRows, model: Optional[ResidentModel]) -> np.ndarray:
        name = int.from_bytes(blake2b(task.name.encode(), digest_size=8).digest(), "big")
        return np.random.default_rng([self.seed, name]).standard_normal(self.dimension)
