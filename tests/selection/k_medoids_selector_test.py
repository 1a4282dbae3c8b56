from itertools import combinations

import numpy as np
import pytest

from attribution.selection import Covariance, KMedoidsSelector
from tests.selection.conftest import letters, random_correlations


def test_one_of_each_family(zoo: Covariance) -> None:
    assert KMedoidsSelector().pick(zoo, 3) == [0, 4, 7]


def test_by_hand_with_a_replacement() -> None:
    """The middle covers most, and is first; when there are two, one of each end is better: 4.1 against 3.8."""
    values = np.array(
        [
            [1.0, 0.8, 0.5, 0.0, 0.0],
            [0.8, 1.0, 0.5, 0.0, 0.0],
            [0.5, 0.5, 1.0, 0.5, 0.5],
            [0.0, 0.0, 0.5, 1.0, 0.8],
            [0.0, 0.0, 0.5, 0.8, 1.0],
        ]
    )
    covariance = Covariance(letters(5), values)
    assert KMedoidsSelector().pick(covariance, 1) == [2]
    picked = KMedoidsSelector().pick(covariance, 2)
    assert sorted(picked) == [0, 3] and values[picked].max(0).sum() == pytest.approx(4.1)


@pytest.mark.parametrize("seed", range(5))
def test_no_single_replacement_helps_and_few_sets_are_better(seed: int) -> None:
    values = random_correlations(12, seed)
    picked = KMedoidsSelector().pick(Covariance(letters(12), values), 3)
    reached = values[picked].max(0).sum()
    for place in range(3):
        for other in set(range(12)) - set(picked):
            assert values[[*picked[:place], other, *picked[place + 1 :]]].max(0).sum() <= reached + 1e-9
    all_sets = [values[list(chosen)].max(0).sum() for chosen in combinations(range(12), 3)]
    assert np.mean(np.array(all_sets) > reached + 1e-9) < 0.05
