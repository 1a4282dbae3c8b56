from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.task_vectors import TaskRows, TunedTextEmbedder
from tests.similarity.conftest import kind_of, resident, save_delta, slow_runs, task

__all__ = ["save_delta"]


@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("model", ["t5", "bart", "llama"])
@torch.no_grad()
def test_is_the_mean_of_examples_one_at_a_time(
    model: str, pooling: str, tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    base = tiny_model(model)
    tuned = resident(base, save_delta("rte", 1, model), model)
    rows = TaskRows("rte", [], task(base).batches)
    wanted = []
    for run in slow_runs(tuned, base):
        hidden: Any = run["hidden"][0][-1][0]
        if kind_of(model) == "causal_lm":
            hidden = hidden[: len(hidden) - len(run["labels"])]
        wanted.append((hidden[0] if pooling == "first" else hidden.mean(0)).numpy())
    np.testing.assert_allclose(TunedTextEmbedder(pooling).embed(rows, tuned), np.mean(wanted, axis=0), atol=1e-5)


def test_unknown_pooling() -> None:
    with pytest.raises(ConfigurationError, match="pooling"):
        TunedTextEmbedder("bos")
