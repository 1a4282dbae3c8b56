"""How alike feature sets of the same rows are: linear centred kernel alignment."""

from itertools import combinations_with_replacement
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.similarity.feature_blocks import FeatureBlocks, feature_blocks, normalized


def linear_cka(
    features: Sequence[Any],
    rows: Optional[Sequence[np.ndarray]] = None,
    centred: bool = True,
    rows_at_once: int = 512,
    sets_at_once: int = 16,
) -> np.ndarray:
    """
    |X'Y|^2 / (|X'X| |Y'Y|), with Frobenius norms and columns of mean 0, for all pairs of feature sets X and Y
    (Kornblith et al., 2019, https://arxiv.org/abs/1905.00414, section 3). All pairs are of the same rows, so that the
    result is positive semi-definite. The cross-moments X'Y are summed over blocks of rows: of the features, which may
    be memory-mapped, one block each of `sets_at_once` sets and of another is in memory. Products of a block are in the
    features' precision (of half: single), sums in double. Shape: (sets, sets)

    # Parameters

    features : `Sequence[Any]`
        Shape of each: (rows, width of its own)
    rows : `Sequence[np.ndarray]`, optional
        For each set the numbers of its rows that are meant, see `common_rows`. By default all.
    centred : `bool`, optional (default = `True`)
        Without it the columns keep their means.
    rows_at_once : `int`, optional (default = `512`)
        Rows of a block.
    sets_at_once : `int`, optional (default = `16`)
        The cross-moments of so many sets with so many others are in memory: of m sets each is read about m over this
        many times.

    # Raises

    `ConfigurationError` naming a set (from 0) that cannot be aligned.
    """
    blocks = feature_blocks(features, rows, rows_at_once, centred)
    numbers = range(len(blocks))
    groups = [numbers[start : start + sets_at_once] for start in range(0, len(blocks), sets_at_once)]
    # Shape: (sets, sets)
    squares = np.empty((len(blocks), len(blocks)))
    for lefts, rights in combinations_with_replacement(groups, 2):
        for (left, right), moment in _cross_moments(blocks, lefts, rights).items():
            squares[left, right] = squares[right, left] = np.vdot(moment, moment)
    return normalized(squares)


def common_rows(keys: Sequence[np.ndarray]) -> List[np.ndarray]:
    """
    For each set the numbers of the rows whose keys all sets have, in the order of the keys.

    # Parameters

    keys : `Sequence[np.ndarray]`
        Of each row of each set, what it is of: sentence and word, say. Shape of each: (rows, parts of a key)

    # Raises

    `ConfigurationError` if there are none.
    """
    lengths = np.cumsum([0, *map(len, keys)])
    _, ids = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    parts = [ids.reshape(-1)[start:stop] for start, stop in zip(lengths, lengths[1:])]
    for number, part in enumerate(parts):
        if len(np.unique(part)) != len(part):
            raise ConfigurationError(f"feature set {number} has two rows of the same key")
    shared = np.flatnonzero(np.bincount(np.concatenate(parts)) == len(keys))
    if not len(shared):
        raise ConfigurationError(f"the {len(keys)} feature sets have no row in common")
    found = []
    for part in parts:
        order = np.argsort(part)
        found.append(order[np.searchsorted(part, shared, sorter=order)])
    return found


def _cross_moments(
    blocks: Sequence[FeatureBlocks], lefts: Sequence[int], rights: Sequence[int]
) -> Dict[Tuple[int, int], np.ndarray]:
    """For each left set and each right one that is no earlier X'Y. Shape of each: (width of X, width of Y)"""
    moments = {
        (left, right): np.zeros((blocks[left].width, blocks[right].width))
        for left in lefts
        for right in rights
        if left <= right
    }
    read: Dict[int, np.ndarray] = {}
    for block in blocks[0].slices:
        read.update((right, blocks[right][block]) for right in rights)
        for left in lefts:
            values = read[left] if left in read else blocks[left][block]
            for right in rights:
                if left <= right:
                    moments[left, right] += values.T @ read[right]
    return moments
