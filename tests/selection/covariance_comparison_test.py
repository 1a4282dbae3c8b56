from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from scipy.stats import multivariate_normal

from attribution.selection import Covariance, correlation, kl_divergence

ONE = Covariance(["a", "b"], np.array([[1.0, 0.6], [0.6, 1.0]]))
OTHER = Covariance(["a", "b"], np.array([[1.0, 0.2], [0.2, 1.0]]))


def test_by_hand() -> None:
    # tr(T^-1 S) = (2 - 2 * 0.2 * 0.6) / 0.96, |S| = 0.64, |T| = 0.96.
    assert kl_divergence(ONE, OTHER) == pytest.approx((1.76 / 0.96 - 2 + np.log(0.96 / 0.64)) / 2)
    assert kl_divergence(ONE, ONE) == pytest.approx(0, abs=1e-12)
    assert kl_divergence(OTHER, ONE) != pytest.approx(kl_divergence(ONE, OTHER))
    assert correlation(ONE, OTHER) == pytest.approx(2.24 / np.sqrt(2.72 * 2.08))
    assert correlation(ONE, ONE) == pytest.approx(1)


def test_it_is_the_mean_of_the_log_ratio() -> None:
    one, other = (multivariate_normal([0, 0], each.values) for each in (ONE, OTHER))
    draws = one.rvs(200_000, random_state=0)
    assert kl_divergence(ONE, OTHER) == pytest.approx((one.logpdf(draws) - other.logpdf(draws)).mean(), abs=5e-3)


def test_the_published_kernel_and_independence(shared_data: Path) -> None:
    names = (shared_data / "zoo" / "ckpts.txt").read_text().split()
    published = Covariance(names, np.load(shared_data / "zoo" / "kappa.npy"))
    assert kl_divergence(published, Covariance(names, np.eye(34))) == pytest.approx(8.9414, abs=5e-5)


def test_a_singular_one_is_repaired_first() -> None:
    """The published script asks for positive determinants, which indefinite matrices have, too."""
    same = Covariance(["a", "b"], np.ones((2, 2)))
    assert same.repaired is not None and np.isfinite(kl_divergence(ONE, same))


def test_the_same_members_in_another_order() -> None:
    values = np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])
    one, other = Covariance(["a", "b", "c"], values), Covariance(["a", "b", "c"], 0.5 * (values + np.eye(3)))
    turned = Covariance(["c", "a", "b"], other.values[np.ix_([2, 0, 1], [2, 0, 1])])
    assert kl_divergence(one, turned) == pytest.approx(kl_divergence(one, other), rel=1e-12)
    assert correlation(one, turned) == pytest.approx(correlation(one, other), rel=1e-12)


def test_other_members() -> None:
    with pytest.raises(ConfigurationError, match="covariances of different members: .'a', 'b'. and .'b', 'c'."):
        kl_divergence(ONE, Covariance(["b", "c"], ONE.values))
