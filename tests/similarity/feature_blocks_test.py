import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity.feature_blocks import FeatureBlocks, normalized


def test_blocks_of_chosen_rows_without_their_means() -> None:
    values = np.arange(12.0, dtype=np.float16).reshape(6, 2)
    rows = np.array([5, 0, 2])
    blocks = FeatureBlocks(0, values, rows, rows_at_once=2)
    wanted = values[rows].astype(np.float32) - values[rows].mean(0, dtype=np.float32)
    assert blocks[slice(0, 1)].dtype == np.float32 and blocks.slices == [slice(0, 2), slice(2, 4)]
    np.testing.assert_allclose(np.concatenate([blocks[block] for block in blocks.slices]), wanted, atol=1e-6)
    np.testing.assert_allclose(blocks[np.array([2, 0])], wanted[[2, 0]], atol=1e-6)
    np.testing.assert_array_equal(FeatureBlocks(0, values, rows, centred=False)[slice(0, 3)], values[rows])


def test_products_to_cosines() -> None:
    np.testing.assert_allclose(normalized(np.array([[4.0, 3.0], [3.0, 9.0]])), [[1, 0.5], [0.5, 1]])
    with pytest.raises(ConfigurationError, match="feature set 1 is the same in all rows"):
        normalized(np.array([[4.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ConfigurationError, match="feature set 0 has values that are not numbers, or overflow"):
        normalized(np.full((2, 2), np.nan))
