"""What stays unknown of each variable of a Gaussian once some are known."""

import numpy as np


class ConditionalVariances:
    """
    The diagonal of a positive definite matrix's Schur complement, by an incremental Cholesky decomposition: each
    variable that becomes known costs O(steps * variables), and the matrix stays as it is. Of a covariance these are
    var(y | A); of its inverse 1 / var(y | V \\ A \\ y), since a Schur complement of the inverse is the inverse of the
    covariance of the others.

    # Parameters

    matrix : `np.ndarray`
        Shape: (variables, variables)
    steps : `int`
        At most so many variables become known.
    """

    def __init__(self, matrix: np.ndarray, steps: int) -> None:
        self.values = matrix.diagonal().copy()
        """Shape: (variables,). Without meaning for those that are known."""
        self._matrix = matrix
        # Shape: (steps, variables)
        self._factor = np.empty((steps, len(matrix)))
        self._known = 0

    def condition_on(self, index: int) -> None:
        """The variable becomes known."""
        above = self._factor[: self._known]
        row = self._matrix[index] - above[:, index] @ above
        row /= np.sqrt(row[index])
        self._factor[self._known] = row
        self._known += 1
        self.values -= row * row
