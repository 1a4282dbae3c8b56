"""The contract of every task embedder."""

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from attribution.encoders import TransformerEncoder
from attribution.task_vectors import TaskEmbedder, TaskRows
from tests.similarity.conftest import EXAMPLES, resident, save_delta, task

__all__ = ["save_delta"]


@pytest.mark.parametrize("name", TaskEmbedder.list_available())
def test_one_finite_vector_the_same_each_time_whatever_the_batches(
    name: str, tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    base = tiny_model("t5")
    settings: Any = {"text": {"encoder": TransformerEncoder(base)}}.get(name, {})
    embedder: Any = TaskEmbedder.by_name(name)(**settings)
    delta = save_delta("rte", 1)
    vectors = []
    for batch_size in (3, 3, 1):
        model = resident(base, delta) if embedder.needs_delta else None
        rows = TaskRows("rte", [example[0] for example in EXAMPLES], task(base, batch_size).batches, delta)
        vectors.append(embedder.embed(rows, model))
    assert vectors[0].ndim == 1 and np.isfinite(vectors[0]).all()
    assert np.array_equal(vectors[0], vectors[1])
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-5)
