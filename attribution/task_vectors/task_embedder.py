"""What makes a vector of a task."""

from abc import abstractmethod
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common import Registrable

from attribution.similarity import LabelledBatch, ResidentModel


class TaskRows(NamedTuple):
    """What is known of a task."""

    name: str
    inputs: List[str]
    """Its prompts; empty where the embedder needs none."""
    batches: Sequence[LabelledBatch]
    """The same with their answers, as token ids; empty where the embedder needs no model."""
    delta: Optional[Path] = None
    """The folder of its own delta, where the embedder needs it."""


class TaskEmbedder(Registrable):
    """Base of what makes a vector of a task (Ye et al., 2022, https://aclanthology.org/2022.findings-emnlp.189)."""

    needs_inputs = True
    """Whether it reads the task's prompts."""
    needs_delta = False
    """Whether it needs the task's own delta, and the base model that it belongs to."""

    @abstractmethod
    def embed(self, task: TaskRows, model: Optional[ResidentModel]) -> np.ndarray:
        """
        # Parameters

        model : `ResidentModel`, optional
            With the task's delta in it, if the embedder needs it.

        # Returns

        Shape: (dimension,), the same for all tasks.
        """
