import numpy as np
import pytest

from attribution.selection.conditional_variances import ConditionalVariances
from tests.selection.conftest import random_correlations


def test_by_hand() -> None:
    variances = ConditionalVariances(np.array([[1, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 1]]), 2)
    np.testing.assert_array_equal(variances.values, [1, 1, 1])
    variances.condition_on(1)
    np.testing.assert_allclose(variances.values[[0, 2]], [0.75, 0.96])
    variances.condition_on(0)
    # 1 - [0, .2] [[1, .5], [.5, 1]]^-1 [0, .2]' = 1 - .04 / .75
    np.testing.assert_allclose(variances.values[2], 1 - 0.04 / 0.75)


def test_all_are_those_of_the_schur_complement() -> None:
    values = random_correlations(12, 0)
    variances = ConditionalVariances(values, 12)
    known = []
    for index in (7, 0, 11, 3, 4):
        variances.condition_on(index)
        known.append(index)
        left = [number for number in range(12) if number not in known]
        cross = values[np.ix_(left, known)]
        wanted = values[np.ix_(left, left)] - cross @ np.linalg.solve(values[np.ix_(known, known)], cross.T)
        np.testing.assert_allclose(variances.values[left], wanted.diagonal(), rtol=1e-10)


def test_of_a_precision_they_are_what_the_rest_leaves_open() -> None:
    values = random_correlations(8, 1)
    variances = ConditionalVariances(np.linalg.inv(values), 1)
    variances.condition_on(2)
    rest = [0, 1, 3, 4, 6, 7]
    cross = values[5, rest]
    wanted = 1 - cross @ np.linalg.solve(values[np.ix_(rest, rest)], cross)
    assert 1 / variances.values[5] == pytest.approx(wanted)
