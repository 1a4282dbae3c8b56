"""How a task bends its delta."""

from typing import Dict, Optional

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.similarity import ResidentModel
from attribution.similarity.per_example_gradients import per_example_gradients
from attribution.task_vectors.task_embedder import TaskEmbedder, TaskRows

_LOSSES = ("sum", "mean")


@TaskEmbedder.register("fisher")
class FisherEmbedder(TaskEmbedder):
    """
    The diagonal of the empirical Fisher information of the task's own delta: the mean over its examples of the squared
    gradient of the loss (Achille et al., 2019, https://arxiv.org/abs/1902.03545; Vu et al., 2020,
    https://arxiv.org/abs/2005.00770), scaled to length one. There is a number for each value of the delta's weights,
    without biases: `dimension` of `embed-tasks` reduces them to principal components, 128 as published. A delta that is
    biases alone has one for each of these.

    Registered as a `TaskEmbedder` with name "fisher".

    # Parameters

    loss : `str`, optional (default = `"sum"`)
        Over an answer's tokens: their `sum`, as in task-level mixtures of experts (Ye et al., 2022,
        https://arxiv.org/abs/2205.12701), where long answers weigh more; or their `mean`.
    label_smoothing : `float`, optional (default = `0.1`)
        As published there, where the delta is tuned with it, too; 0 is none.
    """

    needs_delta = True

    def __init__(self, loss: str = "sum", label_smoothing: float = 0.1) -> None:
        if loss not in _LOSSES:
            raise ConfigurationError(f"embedder.loss: {loss!r} is none of {', '.join(_LOSSES)}")
        if not 0 <= label_smoothing <= 1:
            raise ConfigurationError(f"embedder.label_smoothing: {label_smoothing} is not between 0 and 1")
        self.loss = loss
        self.label_smoothing = label_smoothing

    def embed(self, task: TaskRows, model: Optional[ResidentModel]) -> np.ndarray:
        assert model is not None
        tensors = model.tensors()
        weights = sorted(name for name, tensor in tensors.items() if tensor.dim() > 1) or sorted(tensors)
        totals: Dict[str, torch.Tensor] = {}
        for batch in task.batches:
            for gradients in per_example_gradients(model, batch, self.loss, self.label_smoothing):
                for name in weights:
                    squares = gradients[name].double().square().sum(0).flatten()
                    totals[name] = totals[name] + squares if name in totals else squares
        fisher = torch.cat([totals[name] for name in weights])
        return (fisher / fisher.norm().clamp(min=1e-300)).cpu().numpy()
