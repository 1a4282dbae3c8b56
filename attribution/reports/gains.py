"""How much better than a baseline, and whether that is chance."""

from math import erfc, sqrt
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

Pairs = List[np.ndarray]
"""For each row the differences to the baseline, one for each repetition that both have."""

MOST_EXACT = 50
"""Pairs that differ, up to which `signed_rank` counts; beyond it is the normal approximation."""

EQUAL = 1e-12
"""Scores that are equal on paper differ by less, however they were computed."""

_RESAMPLES = 10000


class Comparison(NamedTuple):
    """A column beside the baseline."""

    arg: float
    """The average relative gain in percent."""
    rows: int
    """That it is over."""
    left_out: int
    """Rows whose baseline is 0 or less, so that there is no relative gain."""
    wins: int
    losses: int
    ties: int
    difference: float
    """The mean over rows of the mean difference; NaN without pairs."""
    interval: Tuple[float, float]
    """95% of it, from a bootstrap over rows and repetitions; NaN for a single pair."""
    pairs: int
    p_value: float
    """Of Wilcoxon's signed-rank test over all pairs, two-sided; NaN for a single pair."""
    is_exact: bool
    """Whether `p_value` was counted over all signs; otherwise it is the normal approximation."""


def relative_gains(mean: np.ndarray, baseline: np.ndarray, higher_is_better: bool) -> np.ndarray:
    """
    (score - baseline) / baseline in percent, and the negative of it where low is good; NaN where a score is missing or
    the baseline is 0 or less. The mean over rows is the average relative gain (ARG) of Ye et al. (2021), CrossFit,
    section 4.2.

    # Parameters

    mean : `np.ndarray`
        Shape: (rows, columns)
    baseline : `np.ndarray`
        Shape: (rows,)
    """
    divisor = np.where(baseline > 0, baseline, np.nan)[:, None]
    return (1 if higher_is_better else -1) * 100 * (mean - baseline[:, None]) / divisor


def compare(mean: np.ndarray, baseline: np.ndarray, pairs: Pairs, higher_is_better: bool) -> Comparison:
    """
    # Parameters

    mean : `np.ndarray`
        The column's score in each row. Shape of this and the next: (rows,)
    baseline : `np.ndarray`
    pairs : `List[np.ndarray]`
        For each row the differences of repetitions, in the direction of the scores.
    """
    both = ~np.isnan(mean) & ~np.isnan(baseline)
    gains = relative_gains(mean[:, None], baseline, higher_is_better)[:, 0]
    counted = ~np.isnan(gains)
    better = (mean - baseline if higher_is_better else baseline - mean)[both]
    wins, ties = int((better > EQUAL).sum()), int((np.abs(better) <= EQUAL).sum())
    found = [differences for differences in pairs if len(differences)]
    every = np.concatenate(found) if found else np.array([])
    return Comparison(
        float(gains[counted].mean()) if counted.any() else np.nan,
        int(counted.sum()),
        int((both & ~counted).sum()),
        wins,
        int(both.sum()) - wins - ties,
        ties,
        float(np.mean([differences.mean() for differences in found])) if found else np.nan,
        bootstrap_interval(found),
        len(every),
        signed_rank(every),
        len(_signed_ranks(every)) <= MOST_EXACT,
    )


def bootstrap_interval(pairs: Pairs) -> Tuple[float, float]:
    """
    The 2.5th and 97.5th percentile of the mean over rows, each the mean over its repetitions, when rows are drawn with
    replacement and then, from each, repetitions: repetitions of a row are alike, and do not count as more rows.
    """
    if sum(map(len, pairs)) < 2:
        return np.nan, np.nan
    random = np.random.default_rng(0)
    counts = np.array([len(differences) for differences in pairs])
    most = counts.max()
    padded = np.stack([np.pad(differences, (0, most - len(differences))) for differences in pairs])
    # Shape: (resamples, rows)
    rows = random.integers(len(pairs), size=(_RESAMPLES, len(pairs)))
    # Shape of this and the next: (resamples, rows, repetitions)
    places = (random.random((*rows.shape, most)) * counts[rows][:, :, None]).astype(int)
    inside = np.arange(most) < counts[rows][:, :, None]
    means = np.where(inside, padded[rows[:, :, None], places], 0).sum(2) / counts[rows]
    low, high = np.percentile(means.mean(1), [2.5, 97.5])
    return float(low), float(high)


def signed_rank(differences: np.ndarray) -> float:
    """
    The two-sided p-value of Wilcoxon's signed-rank test, which takes no distribution for granted; pairs without a
    difference are left out, and without any other it is 1. Differences that are closer than `EQUAL` share their rank.

    Up to `MOST_EXACT` pairs it is the share of all signs whose sum of ranks is as extreme, ties or not; beyond, the
    normal approximation, whose variance is that of the ranks as they are, without a correction for continuity.
    """
    if len(differences) < 2:
        return np.nan
    ranks = _signed_ranks(differences)
    if not len(ranks):
        return 1.0
    if len(ranks) > MOST_EXACT:
        return erfc(abs(ranks.sum()) / sqrt(2 * (ranks**2).sum()))
    doubled = np.rint(2 * ranks).astype(int)  # Shared ranks are whole or half numbers.
    total = np.abs(doubled).sum()
    # In how many ways of all signs the positive ones sum up to 0, 1, 2, ...
    ways = np.zeros(total + 1)
    ways[0] = 1
    for rank in np.abs(doubled):
        ways[rank:] += ways[:-rank].copy()
    least = min(doubled[doubled > 0].sum(), -doubled[doubled < 0].sum())
    return float(min(1.0, 2 * ways[: least + 1].sum() / 2.0 ** len(ranks)))


def _signed_ranks(differences: np.ndarray) -> np.ndarray:
    """Of those that are not 0, by size, each with its sign; equal ones share the mean of theirs."""
    there = np.sort(differences[np.abs(differences) > EQUAL])
    there = there[np.argsort(np.abs(there), kind="stable")]
    # Not by rounding: on its edge are multiples of 1/8192, say.
    groups = np.cumsum(np.diff(np.abs(there), prepend=0) > EQUAL) - 1
    shared = np.bincount(groups, weights=np.arange(1, len(there) + 1)) / np.bincount(groups)
    return np.sign(there) * shared[groups]


def holm(p_values: Sequence[float]) -> List[float]:
    """For as many comparisons as there are numbers (Holm, 1979): one below 0.05 is right about all with 95%."""
    known = sorted(p for p in p_values if not np.isnan(p))
    adjusted: Dict[float, float] = {}
    highest = 0.0
    for rank, p in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted.setdefault(p, highest)
    return [adjusted.get(p, np.nan) for p in p_values]
