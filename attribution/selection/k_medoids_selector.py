"""Members that the others are close to."""

from typing import List

import numpy as np

from attribution.selection.checkpoint_selector import TIE, CheckpointSelector, first_best
from attribution.selection.covariance import Covariance


@CheckpointSelector.register("k_medoids")
class KMedoidsSelector(CheckpointSelector):
    """
    The sum over all members of one minus the covariance with the closest chosen one is the lowest, as far as PAM
    (Kaufman and Rousseeuw, 1990, chapter 2) finds it: members are added greedily, then chosen ones are replaced for as
    long as that helps.

    Registered as a `CheckpointSelector` with name "k_medoids".
    """

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        values = covariance.values
        medoids: List[int] = []
        for _ in range(k):
            medoids.append(first_best(_coverage(values, medoids)))
        total = values[medoids].max(0).sum()
        improved = True
        while improved:
            improved = False
            for place in range(k):
                coverage = _coverage(values, medoids[:place] + medoids[place + 1 :])
                best = first_best(coverage)
                if coverage[best] > total + TIE:
                    medoids[place], total, improved = best, coverage[best], True
        return medoids


def _coverage(values: np.ndarray, chosen: List[int]) -> np.ndarray:
    """For each member the sum of all covariances with the closest of it and the chosen; -inf for the chosen."""
    # Shape: (members,)
    closest = values[chosen].max(0) if chosen else np.full(len(values), -np.inf)
    coverage = np.array([np.maximum(row, closest).sum() for row in values])
    coverage[chosen] = -np.inf
    return coverage
