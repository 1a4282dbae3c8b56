from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.task_vectors import FisherEmbedder, TaskRows
from tests.similarity.conftest import resident, save_delta, slow_runs, task

__all__ = ["save_delta"]


PUBLISHED = {"loss": "sum", "label_smoothing": 0.1}
BIASED = {"type": "houlsby", "size": 3, "bias": True, "initialisation": "normal"}


def _slow(run: Any, loss: str, label_smoothing: float) -> torch.Tensor:
    """
    By the formula: of each token (1 - e) times minus the log probability of the right one, plus e times the mean of
    minus those of all.
    """
    log_probs = run["logits"].log_softmax(-1)
    right = -log_probs[torch.arange(len(run["labels"])), run["labels"]]
    tokens = (1 - label_smoothing) * right - label_smoothing * log_probs.mean(-1)
    return tokens.sum() if loss == "sum" else tokens.mean()


@pytest.mark.parametrize(
    "model, delta, settings",
    [
        ("t5", {"type": "lora", "r": 2}, {}),
        ("bart", BIASED, {}),  # Weights alone, and of biases nothing.
        ("bart", {"type": "bias"}, {}),  # There is nothing else.
        ("bart", {"type": "houlsby", "size": 3}, {"loss": "mean", "label_smoothing": 0.0}),
        ("t5", {"type": "lora", "r": 2}, {"label_smoothing": 0.0}),
    ],
)
def test_is_the_mean_square_of_gradients_one_at_a_time(
    model: str, delta: dict, settings: Any, tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    base = tiny_model(model)
    tuned = resident(base, save_delta("rte", 1, model, delta), model)
    named = sorted(tuned.tensors().items())
    weights = [weight for name, weight in named if delta["type"] == "bias" or "bias" not in name]
    squares = []
    for run in slow_runs(tuned, base):
        loss = _slow(run, **{**PUBLISHED, **settings})
        gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        squares.append(
            torch.cat(
                [
                    torch.zeros(weight.numel()) if gradient is None else gradient.flatten() ** 2
                    for weight, gradient in zip(weights, gradients)
                ]
            )
        )
    wanted = torch.stack(squares).mean(0).numpy()
    found = FisherEmbedder(**settings).embed(TaskRows("rte", [], task(base).batches), tuned)
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-5)
    assert np.linalg.norm(found) == pytest.approx(1)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"loss": "median"}, "embedder.loss: 'median' is none of sum, mean"),
        ({"label_smoothing": 1.5}, "embedder.label_smoothing: 1.5 is not between 0 and 1"),
    ],
)
def test_wrong_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FisherEmbedder(**settings)
