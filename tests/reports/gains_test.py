import numpy as np
import pytest

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
    assert found.p_value == pytest.approx(0.75)  # Ranks 1.5, 3 and -1.5 of three: 6 of 8 signs are as extreme.


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


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, NAN]) == pytest.approx([0.03, 0.06, 0.06, NAN], nan_ok=True)
    assert holm([0.6, 0.6]) == [1.0, 1.0]
