import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.task_vectors import RandomEmbedder, TaskRows


def test_a_vector_belongs_to_a_name_and_a_seed() -> None:
    rte, cb = TaskRows("rte", [], []), TaskRows("cb", [], [])
    embedder = RandomEmbedder(1000)
    vector = embedder.embed(rte, None)
    assert vector.shape == (1000,) and abs(vector.mean()) < 0.2 and 0.8 < vector.std() < 1.2
    assert np.array_equal(vector, RandomEmbedder(1000).embed(rte, None))
    assert not np.array_equal(vector, embedder.embed(cb, None))
    assert not np.array_equal(vector, RandomEmbedder(1000, seed=1).embed(rte, None))


def test_without_dimension() -> None:
    with pytest.raises(ConfigurationError, match="dimension is 0"):
        RandomEmbedder(0)
