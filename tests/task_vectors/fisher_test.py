from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from attribution.task_vectors import FisherEmbedder, TaskRows
from tests.similarity.conftest import resident, save_delta, slow_runs, task

__all__ = ["save_delta"]


@pytest.mark.parametrize("model, delta", [("t5", {"type": "lora", "r": 2}), ("bart", {"type": "houlsby", "size": 3})])
def test_is_the_mean_square_of_gradients_one_at_a_time(
    model: str, delta: dict, tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    base = tiny_model(model)
    tuned = resident(base, save_delta("rte", 1, model, delta), model)
    weights = [weight for _, weight in sorted(tuned.tensors().items())]
    squares = []
    for run in slow_runs(tuned, base):
        gradients = torch.autograd.grad(F.cross_entropy(run["logits"], run["labels"]), weights, allow_unused=True)
        squares.append(
            torch.cat(
                [
                    torch.zeros(weight.numel()) if gradient is None else gradient.flatten() ** 2
                    for weight, gradient in zip(weights, gradients)
                ]
            )
        )
    wanted = torch.stack(squares).mean(0).numpy()
    found = FisherEmbedder().embed(TaskRows("rte", [], task(base).batches), tuned)
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1)
