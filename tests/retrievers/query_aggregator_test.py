import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import FrequencyAggregator, Retrieved


def test_frequency_by_hand() -> None:
    retrieved = Retrieved(
        np.array([[4, 2, 9], [2, 7, -1], [9, 2, 5]]),
        np.array([[0.9, 0.5, 0.1], [0.8, 0.3, -np.inf], [0.7, 0.6, 0.9]], dtype=np.float32),
    )
    ranked = FrequencyAggregator().aggregate(retrieved)
    # 2 was found three times, 9 twice; 4 and 5 once with equal scores, 7 once with less.
    assert ranked.ids.tolist() == [2, 9, 4, 5, 7]
    assert ranked.frequencies.tolist() == [3, 2, 1, 1, 1]
    assert ranked.scores.tolist() == pytest.approx([0.8, 0.7, 0.9, 0.9, 0.3])
    assert FrequencyAggregator(2).aggregate(retrieved).ids.tolist() == [2, 9]
    with pytest.raises(ConfigurationError, match="size is 0"):
        FrequencyAggregator(0)
