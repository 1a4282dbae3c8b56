"""How a task bends its delta."""

from typing import Dict, Optional

import numpy as np
import torch

from attribution.similarity import ResidentModel
from attribution.similarity.per_example_gradients import per_example_gradients
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows


@TaskEmbedder.register("fisher")
class FisherEmbedder(TaskEmbedder):
    """
    The diagonal of the empirical Fisher information of the task's own delta: the mean over its examples of the squared
    gradient of the loss (Achille et al., 2019, https://arxiv.org/abs/1902.03545; Vu et al., 2020,
    https://arxiv.org/abs/2005.00770), scaled to length one. There is a number for each of the delta's parameters:
    `dimension` of `embed-tasks` reduces them to principal components, 128 as published.

    Registered as a `TaskEmbedder` with name "fisher".
    """

    needs_delta = True

    def embed(self, task: TaskRows, model: Optional[ResidentModel]) -> np.ndarray:
        assert model is not None
        totals: Dict[str, torch.Tensor] = {}
        for batch in task.batches:
            for gradients in per_example_gradients(model, batch):
                for name, gradient in gradients.items():
                    squares = gradient.double().square().sum(0).flatten()
                    totals[name] = totals[name] + squares if name in totals else squares
        fisher = torch.cat([totals[name] for name in sorted(totals)])
        return (fisher / fisher.norm().clamp(min=1e-300)).cpu().numpy()
