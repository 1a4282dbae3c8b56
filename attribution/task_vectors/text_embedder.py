"""What a pretrained encoder makes of a task's inputs."""

from typing import Optional

import numpy as np

from attribution.encoders import Encoder
from attribution.similarity import ResidentModel
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows


@TaskEmbedder.register("text")
class TextEmbedder(TaskEmbedder):
    """
    The mean over a task's inputs of their vectors. No answers are looked at, so that it serves unseen tasks.

    Registered as a `TaskEmbedder` with name "text".

    # Parameters

    encoder : `Encoder`
        Any; with `{ type: 'transformer', model_name: 'facebook/bart-base' }` it is the published one, but over the
        inputs' own tokens without padding, and of the encoder, not of a decoder that has read nothing.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def embed(self, task: TaskRows, model: Optional[ResidentModel]) -> np.ndarray:
        return self.encoder.encode(task.inputs).mean(axis=0, dtype=np.float64)
