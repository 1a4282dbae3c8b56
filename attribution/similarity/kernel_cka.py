"""How alike feature sets of the same rows are: alignment of centred kernels, radial ones too."""

from math import sqrt
from typing import Any, List, Optional, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.similarity.feature_blocks import FeatureBlocks, feature_blocks, normalized

ESTIMATORS = ("biased", "debiased", "minibatch")

_SAMPLE = 2048
_KERNEL_BYTES = 2**26
_SIDE = 256


def kernel_cka(
    features: Sequence[Any],
    rows: Optional[Sequence[np.ndarray]] = None,
    bandwidth: Optional[float] = None,
    estimator: str = "biased",
    batch_size: int = 256,
    seed: int = 0,
    side: Optional[int] = None,
) -> np.ndarray:
    """
    HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) for all pairs of feature sets, where K and L are the kernels of their rows
    (Kornblith et al., 2019, https://arxiv.org/abs/1905.00414, section 3). Kernels are made in blocks, those of all sets
    side by side, so that each set is read once for a strip of rows and not once for each other set. Shape: (sets, sets)

    # Parameters

    features : `Sequence[Any]`
        See `FeatureBlocks`.
    rows : `Sequence[np.ndarray]`, optional
        For each set the numbers of its rows that are meant, see `common_rows`. By default all.
    bandwidth : `float`, optional
        Of exp(-|x - y|^2 / (2 s^2)), where s is so many times the median distance of different rows of the set (of at
        most 2,048, evenly chosen). By default the kernel is linear.
    estimator : `str`, optional (default = `"biased"`)
        `biased`, the one of Gretton et al. (2005), as published; `debiased` (Song et al., 2012,
        https://jmlr.org/papers/v13/song12a.html, equation 5), which is 0 on average where sets are independent;
        `minibatch` (Nguyen, Raghu and Kornblith, 2021, https://arxiv.org/abs/2010.15327, equation 2): the mean of that
        over batches of rows, at a cost that grows with the rows and not with their square.
    batch_size : `int`, optional (default = `256`)
        Of `minibatch`: rows of a batch. Rows that fill none are left out.
    seed : `int`, optional (default = `0`)
        Of `minibatch`: which rows are in a batch together.
    side : `int`, optional
        Rows of a strip: by default the kernels' blocks of all sets take 64 MB, or what 256 rows need.

    # Raises

    `ConfigurationError` naming a set (from 0) that cannot be aligned.
    """
    kernels = [_Kernel(blocks, bandwidth) for blocks in feature_blocks(features, rows)]
    count = kernels[0].blocks.count
    least = 2 if estimator == "biased" else 4
    size = batch_size if estimator == "minibatch" else count
    if count < least:
        raise ConfigurationError(f"kernel alignment, {estimator}: {count} rows; {least} at least are needed")
    if not least <= size <= count:
        raise ConfigurationError(
            f"kernel alignment, {estimator}: batch_size is {size}, of {count} rows; {least} to {count} are possible"
        )
    order = np.random.default_rng(seed).permutation(count) if estimator == "minibatch" else np.arange(count)
    side = side or max(_SIDE, int(sqrt(_KERNEL_BYTES / 8 / len(kernels))))
    hsic = _biased if estimator == "biased" else _debiased
    batches = order[: count // size * size].reshape(-1, size)
    return normalized(np.sum([hsic(kernels, batch, side) for batch in batches], axis=0) / len(batches))


class _Kernel:
    """Of one set, the kernel of any rows with any others."""

    def __init__(self, blocks: FeatureBlocks, bandwidth: Optional[float]) -> None:
        self.blocks = blocks
        self._gamma: Optional[float] = None
        if bandwidth is not None:
            sample = blocks[np.unique(np.linspace(0, blocks.count - 1, _SAMPLE).astype(int))]
            distances = _square_distances(sample, sample)[np.triu_indices(len(sample), 1)]
            median = float(np.median(distances))
            if not median > 0:
                raise ConfigurationError(f"feature set {blocks.number} has half of its rows the same, or no numbers")
            self._gamma = 1 / (2 * bandwidth**2 * median)

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Of rows with these numbers. Shape: (one, other)"""
        left = self.blocks[one]
        right = left if other is one else self.blocks[other]
        if self._gamma is None:
            return left @ right.T
        return np.exp(-self._gamma * _square_distances(left, right))


def _square_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Shapes: (rows, width), (others, width) to (rows, others)"""
    squares = (one * one).sum(1)[:, None] + (other * other).sum(1) - 2 * one @ other.T
    return np.maximum(squares, 0, out=squares)


class _Sums:
    """
    Of the kernels of `rows`, without their diagonals if `hollow`.

    `products` are the sums of the entries' products. Shape: (sets, sets)
    `of_rows` are the sums of their rows. Shape: (sets, rows)
    """

    def __init__(self, kernels: Sequence[_Kernel], rows: np.ndarray, side: int, hollow: bool) -> None:
        self.products = np.zeros((len(kernels), len(kernels)))
        self.of_rows = np.zeros((len(kernels), len(rows)))
        strips = [slice(start, start + side) for start in range(0, len(rows), side)]
        for place, one in enumerate(strips):
            for other in strips[place:]:
                self._add(kernels, rows, one, other, hollow)

    def _add(self, kernels: Sequence[_Kernel], rows: np.ndarray, one: slice, other: slice, hollow: bool) -> None:
        left = rows[one]
        right = left if other == one else rows[other]
        # Shape: (sets, rows of one, rows of other)
        block = np.empty((len(kernels), len(left), len(right)))
        for number, kernel in enumerate(kernels):
            block[number] = kernel(left, right)
        if other == one and hollow:
            block[:, np.arange(len(left)), np.arange(len(left))] = 0
        flat = block.reshape(len(kernels), -1)
        self.products += (flat @ flat.T) * (1 if other == one else 2)  # The kernels are symmetric.
        self.of_rows[:, one] += block.sum(2)
        if other != one:
            self.of_rows[:, other] += block.sum(1)


def _biased(kernels: List[_Kernel], rows: np.ndarray, side: int) -> np.ndarray:
    sums, n = _Sums(kernels, rows, side, hollow=False), len(rows)
    totals = sums.of_rows.sum(1)
    cross = sums.of_rows @ sums.of_rows.T
    return (sums.products - 2 * cross / n + np.outer(totals, totals) / n**2) / (n - 1) ** 2


def _debiased(kernels: List[_Kernel], rows: np.ndarray, side: int) -> np.ndarray:
    sums, n = _Sums(kernels, rows, side, hollow=True), len(rows)
    totals = sums.of_rows.sum(1)
    cross = sums.of_rows @ sums.of_rows.T
    both = np.outer(totals, totals) / ((n - 1) * (n - 2))
    return (sums.products + both - 2 * cross / (n - 2)) / (n * (n - 3))
