from itertools import permutations
from typing import Any, List, Optional

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from scipy.spatial.distance import pdist, squareform

from attribution.similarity import kernel_cka, linear_cka
from tests.similarity.linear_cka_test import feature_sets


def kernel(features: np.ndarray, bandwidth: Optional[float]) -> np.ndarray:
    values = features.astype(np.float64)
    if bandwidth is None:
        values = values - values.mean(0)
        return values @ values.T
    distances = pdist(values)
    return np.exp(-(squareform(distances) ** 2) / (2 * (bandwidth * np.median(distances)) ** 2))


def biased(one: np.ndarray, other: np.ndarray) -> float:
    """trace(KHLH) / (n - 1)^2."""
    centring = np.eye(len(one)) - 1 / len(one)
    return float(np.trace(one @ centring @ other @ centring)) / (len(one) - 1) ** 2


def debiased(one: np.ndarray, other: np.ndarray) -> float:
    """Equation 5 of Song et al., with matrices."""
    n, ones = len(one), np.ones(len(one))
    one, other = (each * (1 - np.eye(n)) for each in (one, other))
    both = (ones @ one @ ones) * (ones @ other @ ones) / ((n - 1) * (n - 2))
    return float(np.trace(one @ other) + both - 2 / (n - 2) * ones @ one @ other @ ones) / (n * (n - 3))


def by_definition(kernels: List[np.ndarray], hsic: Any, batches: List[np.ndarray]) -> np.ndarray:
    products = np.mean(
        [[[hsic(k[np.ix_(b, b)], l[np.ix_(b, b)]) for l in kernels] for k in kernels] for b in batches],  # noqa: E741
        axis=0,
    )
    norms = np.sqrt(products.diagonal())
    return products / norms / norms[:, None]


@pytest.mark.parametrize("bandwidth", [None, 0.5, 1.0])
@pytest.mark.parametrize("estimator, hsic", [("biased", biased), ("debiased", debiased), ("minibatch", debiased)])
@pytest.mark.parametrize("side", [None, 7, 150])
def test_it_is_that_of_the_definition(bandwidth: Any, estimator: str, hsic: Any, side: Any) -> None:
    sets = feature_sets(np.float64, count=3)
    order = np.random.default_rng(5).permutation(150)
    batches = list(order[:140].reshape(-1, 20)) if estimator == "minibatch" else [np.arange(150)]
    wanted = by_definition([kernel(each, bandwidth) for each in sets], hsic, batches)
    found = kernel_cka(sets, None, bandwidth, estimator, batch_size=20, seed=5, side=side)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    np.testing.assert_array_equal(found.diagonal(), 1)


def test_single_precision_is_enough() -> None:
    """And the two ways to linear CKA agree."""
    sets = feature_sets(np.float32)
    np.testing.assert_allclose(kernel_cka(sets), linear_cka(feature_sets(np.float64)), atol=1e-6)
    np.testing.assert_allclose(
        kernel_cka(sets, bandwidth=1.0), kernel_cka(feature_sets(np.float64), bandwidth=1.0), atol=1e-5
    )


def test_the_debiased_one_does_not_grow_with_the_width() -> None:
    """Of independent sets wider than rows the published estimate is far from 0."""
    generator = np.random.default_rng(0)
    sets = [generator.normal(size=(40, 200)) for _ in range(4)]
    others = ~np.eye(4, dtype=bool)
    assert kernel_cka(sets)[others].mean() > 0.8
    assert np.abs(kernel_cka(sets, estimator="debiased")[others]).max() < 0.1


def test_debiased_by_hand() -> None:
    """By the other definition, the mean over all different i, j, q, r of k_ij (l_ij + l_qr - 2 l_iq)."""
    one, other = (np.random.default_rng(seed).normal(size=(6, 2)) for seed in (0, 1))
    k, l = kernel(one, None), kernel(other, None)  # noqa: E741

    def slow(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.mean([a[i, j] * (b[i, j] + b[q, r] - 2 * b[i, q]) for i, j, q, r in permutations(range(6), 4)]))

    wanted = slow(k, l) / np.sqrt(slow(k, k) * slow(l, l))
    assert kernel_cka([one, other], estimator="debiased")[0, 1] == pytest.approx(wanted)


def test_of_the_rows_that_are_meant() -> None:
    sets = feature_sets(np.float64, count=2)
    rows = [np.arange(5, 90, 3), np.arange(1, 86, 3)]
    wanted = kernel_cka([values[here] for values, here in zip(sets, rows)], bandwidth=1.0)
    np.testing.assert_allclose(kernel_cka(sets, rows, bandwidth=1.0, side=8), wanted)


@pytest.mark.parametrize(
    "wrong, settings, message",
    [
        (np.full((150, 3), 0.1), {}, "feature set 1 is the same in all rows"),
        (np.full((150, 3), 0.1), {"bandwidth": 1.0}, "feature set 1 has half of its rows the same"),
        (np.full((150, 3), np.nan), {}, "feature set 1 has values that are not numbers"),
        (np.zeros((149, 3)), {}, "feature sets 0 and 1 have 150 and 149 rows"),
        (np.eye(150), {"estimator": "minibatch", "batch_size": 3}, "batch_size is 3, of 150 rows; 4 to 150 are"),
        (np.eye(150), {"estimator": "minibatch"}, "batch_size is 256, of 150 rows; 4 to 150 are possible"),
        (np.eye(150), {"estimator": "minibatch", "batch_size": 151}, "minibatch: batch_size is 151, of 150 rows"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_no_feature_set(wrong: np.ndarray, settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        kernel_cka([feature_sets(np.float64, count=1)[0], wrong], **settings)


@pytest.mark.parametrize("estimator, least", [("biased", 2), ("debiased", 4), ("minibatch", 4)])
def test_too_few_rows(estimator: str, least: int) -> None:
    with pytest.raises(ConfigurationError, match="at least are needed"):
        kernel_cka([np.eye(least - 1), np.eye(least - 1)], estimator=estimator)
