from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.selection import Covariance
from tests.selection.conftest import information_by_definition, letters, random_correlations

THREE = np.array([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]])


def test_information_by_hand() -> None:
    """Of two variables with correlation r it is -log(1 - r^2) / 2: half of what the published script prints."""
    covariance = Covariance(["a", "b"], np.array([[1, 0.6], [0.6, 1]]))
    np.testing.assert_allclose(covariance.information([1]), [-np.log(1 - 0.36) / 2])
    np.testing.assert_allclose(covariance.information([1, 0])[1], 0, atol=1e-12)
    np.testing.assert_allclose(Covariance(letters(4), np.eye(4)).information([2, 0]), [0, 0], atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_information_is_that_of_the_definition(seed: int) -> None:
    values = random_correlations(15, seed)
    order = np.random.default_rng(seed).permutation(15).tolist()
    wanted = [information_by_definition(values, order[:count]) for count in range(1, 16)]
    np.testing.assert_allclose(Covariance(letters(15), values).information(order), wanted, atol=1e-9)


def test_the_precision_is_the_inverse() -> None:
    covariance = Covariance(letters(9), random_correlations(9, 3))
    np.testing.assert_allclose(covariance.precision @ covariance.values, np.eye(9), atol=1e-10)
    assert covariance.repaired is None


def test_rounding_is_evened_out() -> None:
    values = THREE.astype(np.float32)
    values[0, 1] += 4e-7
    values[2, 2] -= 4e-7
    covariance = Covariance(letters(3), values)
    np.testing.assert_array_equal(covariance.values, covariance.values.T)
    np.testing.assert_array_equal(covariance.values.diagonal(), 1)
    np.testing.assert_allclose(covariance.values, THREE, atol=1e-6)


def test_what_is_slightly_indefinite_is_repaired_and_said() -> None:
    factor = np.array([[1, 0], [0, 1], [np.sqrt(0.5), np.sqrt(0.5)]])
    values = factor @ factor.T
    values[2, :2] += 1e-4
    values[:2, 2] += 1e-4
    least = np.linalg.eigvalsh(values)[0]
    assert -2e-4 < least < -1e-4
    covariance = Covariance(letters(3), values)
    assert covariance.repaired == pytest.approx(least)
    assert np.linalg.eigvalsh(covariance.values)[0] > 5e-9
    np.testing.assert_allclose(covariance.values.diagonal(), 1)
    np.testing.assert_allclose(covariance.values, values, atol=3e-4)
    with pytest.raises(ConfigurationError, match=r"smallest eigenvalue is -0.000\d+, below -1e-05 \(`tolerance`\)"):
        Covariance(letters(3), values, tolerance=1e-5)


def test_normalized_by_hand() -> None:
    """As a sum over two parts, of which each target's own examples gave one direction."""
    values = np.array([[2, 0.8, 0.2], [1.6, 8, 0.8], [0.2, 0.8, 2]])
    wanted = [[1, 0.3, 0.1], [0.3, 1, 0.2], [0.1, 0.2, 1]]
    np.testing.assert_allclose(Covariance(letters(3), values, normalize=True).values, wanted)
    np.testing.assert_allclose(Covariance(letters(3), THREE, normalize=True).values, THREE)
    for scale in (1e-300, 1e98):
        np.testing.assert_allclose(Covariance(letters(3), values * scale, normalize=True).values, wanted)
    values[1, 1] = 0
    with pytest.raises(ConfigurationError, match="'m01' and 'm01' is 0.0; to normalize, one above 0 is needed"):
        Covariance(letters(3), values, normalize=True)


def test_the_same_checkpoint_twice() -> None:
    """Singular, where the published script stops or divides by rounding errors."""
    covariance = Covariance(letters(3), np.array([[1, 1, 0.2], [1, 1, 0.2], [0.2, 0.2, 1]]))
    assert covariance.repaired == pytest.approx(0, abs=1e-12)
    assert np.isfinite(covariance.information([0, 2])).all()


def _with(row: int, column: int, value: float) -> np.ndarray:
    values = THREE.copy()
    values[row, column] = value
    return values


@pytest.mark.parametrize(
    "values, message",
    [
        (_with(0, 2, np.nan), "the value of 'm00' and 'm02' is nan"),
        (_with(1, 1, np.inf), "the value of 'm01' and 'm01' is inf"),
        (_with(0, 2, 0.4), "not symmetric; the value of 'm00' and 'm02' is 0.4 one way and 0.1 the other"),
        (_with(1, 1, 2.0), "the value of 'm01' and 'm01' is 2.0, and 1 is needed on the diagonal; divide"),
        (THREE + 1e90 * (1 - np.eye(3)), "is 1e\\+90; a correlation is between -1 and 1"),
        (THREE * 1e300, "'m00' and 'm00' is 1e\\+300"),
        (THREE - 2 * (1 - np.eye(3)), "not positive definite; its smallest eigenvalue is -"),
        (THREE[:2], r"a square matrix is needed, this has the shape \(2, 3\)"),
        (THREE[0], r"a square matrix is needed, this has the shape \(3,\)"),
        (np.empty((0, 0)), r"a square matrix is needed, this has the shape \(0, 0\)"),
        (np.eye(4), "4 rows for 3 names"),
        (THREE.astype(complex), "real numbers are needed, these are complex128"),
        (THREE.astype(str), "real numbers are needed"),
    ],
)
def test_no_covariance(values: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Covariance(letters(3), values)


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), 1e308, 1])
def test_a_tolerance_that_is_none(tolerance: float) -> None:
    with pytest.raises(ConfigurationError, match="tolerance is .*; a number from 0 on and below 1 is needed"):
        Covariance(letters(3), THREE, tolerance)


def test_two_members_of_one_name() -> None:
    with pytest.raises(ConfigurationError, match="'a' is the name of two members"):
        Covariance(["a", "b", "a"], THREE)


def test_what_was_given_is_not_changed() -> None:
    values = THREE.copy()
    values[0, 1] += 1e-7
    before = values.copy()
    Covariance(letters(3), values)
    np.testing.assert_array_equal(values, before)
