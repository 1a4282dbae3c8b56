"""How alike the members of a zoo are, read as the covariance of a Gaussian over them."""

from collections import Counter
from functools import cached_property
from typing import List, Optional, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError
from scipy.linalg.lapack import dpotrf, dpotri

TOLERANCE = 1e-3

_BEYOND = 1e100
"""No measurement is so large, and sums and products of such numbers are no numbers."""
_LARGEST = 1e6
"""What is beyond it is no rounding."""
_ROUNDING = 1e-6
_FLOOR = 1e-8


class Covariance:
    """
    Huang, Qiu and Church (NeurIPS 2021, Exploiting a Zoo of Checkpoints for Unseen Tasks) read kernel alignments of
    checkpoints as the covariance of a Gaussian process over tasks. It is checked here once: symmetric and with ones on
    the diagonal up to rounding (10^-6), and positive definite. Alignments that were measured on different rows for
    different pairs may miss that a little: eigenvalues below 10^-8 are raised to it and the diagonal is made 1 again.

    # Parameters

    names : `Sequence[str]`
        Of the members.
    values : `np.ndarray`
        Shape: (members, members)
    tolerance : `float`, optional (default = `0.001`)
        An eigenvalue below minus this is an error.
    normalize : `bool`, optional (default = `False`)
        Take the mean of both directions of each pair, and divide by the roots of the diagonal: what the two checks of
        symmetry and of the diagonal are for is then made so.
    """

    repaired: Optional[float] = None
    """The smallest eigenvalue there was, where some had to be raised."""

    def __init__(
        self, names: Sequence[str], values: np.ndarray, tolerance: float = TOLERANCE, normalize: bool = False
    ) -> None:
        if not 0 <= tolerance < 1:
            raise ConfigurationError(f"tolerance is {tolerance}; a number from 0 on and below 1 is needed")
        again = [name for name, count in Counter(names).items() if count > 1]
        if again:
            raise ConfigurationError(f"covariance: {again[0]!r} is the name of two members")
        self.names = list(names)
        self.values = self._checked(values, normalize)
        if not _is_positive_definite(self.values):
            self._repair(tolerance)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def precision(self) -> np.ndarray:
        """The inverse. Shape: (members, members)"""
        factor, _ = dpotrf(self.values, lower=True)
        inverse, _ = dpotri(factor, lower=True, overwrite_c=True)
        inverse += np.tril(inverse, -1).T
        return inverse

    def information(self, indices: Sequence[int]) -> List[float]:
        """
        I(A; V \\ A) in nats, of the first index, the first two, ... with the rest: half of log |S_A| + log |(S^-1)_A|,
        the second being log |S_(V \\ A)| - log |S|. It is the sum of the logarithms on the Cholesky factors' diagonals.
        """
        factors = [np.linalg.cholesky(matrix[np.ix_(indices, indices)]) for matrix in (self.values, self.precision)]
        return np.cumsum([np.log(factor.diagonal()) for factor in factors], axis=1).sum(0).tolist()

    def position(self, name: str) -> int:
        """
        # Raises

        `ConfigurationError` if there is no such member.
        """
        if name not in self.names:
            raise ConfigurationError(f"{name!r} is not among the {len(self)} members {self.names}")
        return self.names.index(name)

    def _checked(self, values: np.ndarray, normalize: bool) -> np.ndarray:
        if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size:
            raise ConfigurationError(f"covariance: a square matrix is needed, this has the shape {values.shape}")
        if values.dtype.kind not in "fiu":
            raise ConfigurationError(f"covariance: real numbers are needed, these are {values.dtype}")
        if len(values) != len(self):
            raise ConfigurationError(f"covariance: {len(values)} rows for {len(self)} names; one name a row is needed")
        values = values.astype(np.float64)
        unusable = ~(np.abs(values) < _BEYOND)
        if unusable.any():
            row, column = np.argwhere(unusable)[0]
            raise ConfigurationError(f"covariance: {self._at(row, column)} is {values[row, column]}")
        if normalize:
            values = self._normalized(values)
        if np.abs(values.diagonal() - 1).max() > _ROUNDING:
            row = int(np.abs(values.diagonal() - 1).argmax())
            raise ConfigurationError(
                f"covariance: {self._at(row, row)} is {values[row, row]}, and 1 is needed on the diagonal; divide rows "
                "and columns by the square roots of it (`normalize`)"
            )
        difference = values - values.T
        np.abs(difference, out=difference)
        if difference.max() > _ROUNDING:
            row, column = np.unravel_index(difference.argmax(), difference.shape)
            raise ConfigurationError(
                f"covariance: not symmetric; {self._at(row, column)} is {values[row, column]} one way and "
                f"{values[column, row]} the other. If these are two measurements of the same, average them "
                "(`normalize`)"
            )
        if np.abs(values).max() > _LARGEST:
            row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
            raise ConfigurationError(
                f"covariance: {self._at(row, column)} is {values[row, column]}; a correlation is between -1 and 1"
            )
        values += values.T.copy()
        values /= 2
        np.fill_diagonal(values, 1.0)
        return values

    def _normalized(self, values: np.ndarray) -> np.ndarray:
        diagonal = values.diagonal()
        if diagonal.min() <= 0:
            row = int(diagonal.argmin())
            raise ConfigurationError(
                f"covariance: {self._at(row, row)} is {diagonal[row]}; to normalize, one above 0 is needed"
            )
        scale = 1 / np.sqrt(diagonal)
        return (values + values.T) / 2 * scale[:, None] * scale

    def _at(self, row: int, column: int) -> str:
        return f"the value of {self.names[row]!r} and {self.names[column]!r}"

    def _repair(self, tolerance: float) -> None:
        eigenvalues, vectors = np.linalg.eigh(self.values)
        self.repaired = float(eigenvalues[0])
        if self.repaired < -tolerance:
            raise ConfigurationError(
                f"covariance: not positive definite; its smallest eigenvalue is {self.repaired:.3g}, below "
                f"-{tolerance:g} (`tolerance`). Measure all pairs on the same rows"
            )
        values = (vectors * np.maximum(eigenvalues, _FLOOR)) @ vectors.T
        scale = 1 / np.sqrt(values.diagonal())
        values *= scale[:, None]
        values *= scale
        self.values = (values + values.T) / 2


def _is_positive_definite(values: np.ndarray) -> bool:
    lowered = values.copy(order="F")
    lowered.flat[:: len(values) + 1] -= _FLOOR
    return dpotrf(lowered, lower=True, overwrite_a=True)[1] == 0
