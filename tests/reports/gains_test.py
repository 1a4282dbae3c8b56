from fractions import Fraction
from itertools import product
from typing import Any, List

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from attribution.reports.gains import bootstrap_interval, compare, holm, relative_gains, signed_rank

NAN = np.nan


def test_relative_gains() -> None:
    mean = np.array([[0.5, 0.6], [0.0, 0.3], [0.8, NAN], [-0.1, 0.2]])
    gains = relative_gains(mean, mean[:, 0], higher_is_better=True)
    np.testing.assert_allclose(gains, [[0, 20], [NAN, NAN], [0, NAN], [NAN, NAN]])
    np.testing.assert_allclose(relative_gains(mean, mean[:, 0], higher_is_better=False)[0], [0, -20])


def test_a_comparison_leaves_rows_with_a_baseline_of_0_out_and_counts_them() -> None:
    baseline, mean = np.array([0.5, 0.0, 0.8, 0.4, 0.2]), np.array([0.6, 0.3, 0.7, 0.4, NAN])
    pairs = [np.array([0.1]), np.array([0.3]), np.array([-0.1]), np.array([0.0]), np.array([])]
    found = compare(mean, baseline, pairs, higher_is_better=True)
    assert found.arg == pytest.approx((20 - 12.5 + 0) / 3)
    assert (found.rows, found.left_out, found.wins, found.losses, found.ties) == (3, 1, 2, 1, 1)
    assert found.difference == pytest.approx(0.075) and found.pairs == 4
    low, high = found.interval
    assert -0.1 <= low < 0.075 < high <= 0.3
    # Ranks 1.5, 3 and -1.5 of three: 6 of 8 signs are as extreme.
    assert found.is_exact and found.p_value == pytest.approx(0.75)


def test_losses_win_by_being_low() -> None:
    found = compare(np.array([0.4, 0.9]), np.array([0.5, 0.8]), [np.array([]), np.array([])], higher_is_better=False)
    assert (found.wins, found.losses) == (1, 1)
    assert found.arg == pytest.approx((20 - 12.5) / 2)


def test_without_anything_to_compare_there_are_no_numbers() -> None:
    found = compare(np.array([NAN]), np.array([0.5]), [np.array([])], higher_is_better=True)
    assert (found.rows, found.wins, found.losses, found.ties, found.pairs) == (0, 0, 0, 0, 0)
    assert np.isnan([found.arg, found.difference, *found.interval, found.p_value]).all()


def test_repetitions_of_a_row_do_not_count_as_rows() -> None:
    """Two rows that disagree: many repetitions make each row certain, and not the mean over rows."""
    few = bootstrap_interval([np.array([0.2]), np.array([-0.2])])
    many = bootstrap_interval([np.full(50, 0.2), np.full(50, -0.2)])
    assert few == pytest.approx((-0.2, 0.2)) and many == pytest.approx((-0.2, 0.2))


def test_rows_with_other_numbers_of_repetitions() -> None:
    low, high = bootstrap_interval([np.array([0.1, 0.3]), np.array([0.2])])
    assert (low, high) == pytest.approx((0.15, 0.25))
    assert bootstrap_interval([np.array([0.1, 0.3]), np.array([0.2])]) == (low, high)


def test_the_signed_rank_test() -> None:
    assert signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(2 / 32)
    assert signed_rank(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])) == pytest.approx(2 / 32)
    assert signed_rank(np.array([0.0, 0.0])) == 1
    assert np.isnan(signed_rank(np.array([1.0])))


@pytest.mark.parametrize("place", range(7))
def test_differences_that_are_equal_on_paper_share_their_rank(place: int) -> None:
    """0.7 - 0.6 is not 0.8 - 0.7 in floats."""
    scores = [(0.7, 0.6), (0.8, 0.7), (0.4, 0.3), (0.2, 0.1), (0.9, 0.8), (0.3, 0.2)]
    scores.insert(place, (0.6, 0.7))
    differences = np.array([score - baseline for score, baseline in scores])
    assert len(set(np.abs(differences))) > 2
    assert signed_rank(differences) == 0.125  # No more than one of seven signs is other than the rest: 2 * 8 / 128.


def _by_enumeration(differences: List[Fraction]) -> float:
    """The share of all signs of the ranks whose sum is as far from 0."""
    sizes = sorted(abs(one) for one in differences if one)
    ranks = [
        Fraction(sum(other < abs(one) for other in sizes) + sum(other <= abs(one) for other in sizes) + 1, 2)
        * (1 if one > 0 else -1)
        for one in differences
        if one
    ]
    sums = [sum(sign * abs(rank) for sign, rank in zip(signs, ranks)) for signs in product((1, -1), repeat=len(ranks))]
    return sum(abs(one) >= abs(sum(ranks)) for one in sums) / len(sums)


_COMPUTED: List[Any] = [
    lambda right, count: right / count,
    lambda right, count: 1 - (count - right) / count,
    lambda right, count: float(np.mean([1.0] * right + [0.0] * (count - right))),
    lambda right, count: sum(1 / count for _ in range(right)),
    lambda right, count: 100 * right / count / 100,
]
"""Ways to an accuracy."""


@given(st.data(), st.sampled_from([3, 7, 10, 32, 100, 277, 8192]))
def test_the_order_and_the_way_to_the_accuracies_do_not_matter(data: Any, count: int) -> None:
    # Few different differences, so that many are equal.
    right = st.integers(0, min(count, 12))
    pairs = data.draw(st.lists(st.tuples(right, right), min_size=2, max_size=9))
    ways = st.lists(st.sampled_from(_COMPUTED), min_size=2 * len(pairs), max_size=2 * len(pairs))
    chosen = data.draw(ways)
    differences = [
        one(score, count) - other(baseline, count)
        for (score, baseline), one, other in zip(pairs, chosen[::2], chosen[1::2])
    ]
    wanted = _by_enumeration([Fraction(score - baseline, count) for score, baseline in pairs])
    assert signed_rank(np.array(data.draw(st.permutations(differences)))) == wanted


@given(st.lists(st.integers(-5, 5), min_size=51, max_size=150))
def test_many_pairs_take_the_normal_approximation(tenths: List[int]) -> None:
    differences = np.array(tenths) / 10
    there = np.array([one for one in tenths if one])
    exact = len(there) <= 50
    found = compare(np.array([0.5]), np.array([0.5]), [differences], higher_is_better=True)
    assert found.is_exact == exact
    if not exact:
        # scipy calls the method "approx" or "asymptotic", and takes it by itself where there are so many.
        assert found.p_value == pytest.approx(wilcoxon(there).pvalue, rel=1e-9)


def test_without_ties_up_to_fifty_pairs_it_is_scipys_exact_test() -> None:
    generator = np.random.default_rng(0)
    for count in (5, 13, 14, 30, 50):
        differences = generator.normal(0.3, size=count)
        assert signed_rank(differences) == pytest.approx(wilcoxon(differences).pvalue, rel=1e-9)


@pytest.mark.parametrize("count", [13, 14, 16])
def test_with_ties_it_is_exact_beyond_thirteen_pairs_too(count: int) -> None:
    """There scipy takes the normal approximation, without a word."""
    differences = np.array([0.1, -0.1, 0.2, 0.2] * 4)[:count]
    ranks = np.where(np.abs(differences) < 0.15, 1, 0)
    small = ranks.sum()
    ranks = np.where(ranks == 1, (small + 1) / 2, (small + 1 + count) / 2)
    signs = np.array(list(product((1, -1), repeat=count)))
    wanted = (np.abs(signs @ ranks) >= abs((np.sign(differences) * ranks).sum())).mean()
    assert signed_rank(differences) == pytest.approx(wanted, rel=1e-12)


def test_wins_and_ties_are_those_on_paper() -> None:
    mean, baseline = np.array([0.1 + 0.2, 0.3, 0.5]), np.array([0.3, 0.1 + 0.2, 0.4])
    assert mean[0] > baseline[0] and mean[1] < baseline[1]
    for higher_is_better in (True, False):
        found = compare(mean, baseline, [np.array([])] * 3, higher_is_better)
        assert (found.wins, found.losses, found.ties) == ((1, 0, 2) if higher_is_better else (0, 1, 2))


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, NAN]) == pytest.approx([0.03, 0.06, 0.06, NAN], nan_ok=True)
    assert holm([0.6, 0.6]) == [1.0, 1.0]
