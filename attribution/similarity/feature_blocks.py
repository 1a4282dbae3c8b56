"""Features of the same rows, read in blocks."""

from typing import Any, List, Optional, Sequence, Union

import numpy as np
from allennlp.common.checks import ConfigurationError


class FeatureBlocks:
    """
    The rows of a feature set, some at a time, with the columns' means taken off, in the features' precision (of half:
    single).

    # Parameters

    number : `int`
        Which set it is, for messages.
    features : `np.ndarray`
        Or what can be indexed as one and has its `shape`, `ndim` and `dtype`. Shape: (rows, width)
    rows : `np.ndarray`, optional
        The numbers of the rows that are meant, in their order. By default all.
    rows_at_once : `int`, optional (default = `2048`)
        In `slices`.
    centred : `bool`, optional (default = `True`)
        Without it the columns keep their means.

    # Raises

    `ConfigurationError` if these are no features.
    """

    def __init__(
        self,
        number: int,
        features: Any,
        rows: Optional[np.ndarray] = None,
        rows_at_once: int = 2048,
        centred: bool = True,
    ) -> None:
        if features.ndim != 2 or features.dtype.kind != "f":
            raise ConfigurationError(
                f"feature set {number}: floats of shape (rows, width) are needed, "
                f"these are {features.dtype} of shape {features.shape}"
            )
        self.number = number
        self.count = len(features) if rows is None else len(rows)
        if self.count < 2:
            raise ConfigurationError(f"feature set {number} has {self.count} rows; two at least are needed")
        self.width = features.shape[1]
        self.slices = [slice(start, start + rows_at_once) for start in range(0, self.count, rows_at_once)]
        self._features = features
        self._rows = rows
        self._precision = np.promote_types(features.dtype, np.float32)
        # Shape: (width,)
        self._mean = np.zeros(self.width, self._precision)
        if centred:
            self._mean = self[slice(0, 1)][0]
            with np.errstate(invalid="ignore"):
                sums = sum(self[block].sum(0, dtype=np.float64) for block in self.slices)
            self._mean = (self._mean + sums / self.count).astype(self._precision)
            if not np.isfinite(self._mean).all():
                raise ConfigurationError(f"feature set {number} has values that are not numbers")

    def __getitem__(self, block: Union[slice, np.ndarray]) -> np.ndarray:
        """Shape: (rows of the block, width)"""
        values = self._features[block if self._rows is None else self._rows[block]]
        return values.astype(self._precision, copy=False) - self._mean


def feature_blocks(
    features: Sequence[Any], rows: Optional[Sequence[np.ndarray]], rows_at_once: int = 2048, centred: bool = True
) -> List[FeatureBlocks]:
    """
    All sets, see `FeatureBlocks`; of each, `rows` may have the numbers of its rows that are meant.

    # Raises

    `ConfigurationError` if they have not as many rows.
    """
    blocks = [
        FeatureBlocks(number, each, None if rows is None else rows[number], rows_at_once, centred)
        for number, each in enumerate(features)
    ]
    for one in blocks:
        if one.count != blocks[0].count:
            raise ConfigurationError(
                f"feature sets 0 and {one.number} have {blocks[0].count} and {one.count} rows; the same are needed"
            )
    return blocks


def normalized(products: np.ndarray) -> np.ndarray:
    """
    Inner products to cosines. Shapes: (sets, sets)

    # Raises

    `ConfigurationError` naming a set (from 0) that has no length.
    """
    for number, square in enumerate(products.diagonal()):
        if not (np.isfinite(square) and square > 0):
            reason = "is the same in all rows" if square == 0 else "has values that are not numbers, or overflow"
            raise ConfigurationError(f"feature set {number} {reason}")
    norms = np.sqrt(products.diagonal())
    cosines = products / np.outer(norms, norms)
    np.fill_diagonal(cosines, 1.0)
    return cosines
