"""Members chosen one by one for what each adds."""

from abc import abstractmethod
from typing import List

import numpy as np

from attribution.selection.checkpoint_selector import CheckpointSelector, first_best
from attribution.selection.conditional_variances import ConditionalVariances
from attribution.selection.covariance import Covariance


class GreedySelector(CheckpointSelector):
    """
    Base of those whose gain is a sum of logarithms of conditional variances.

    # Parameters

    hub_start : `bool`, optional (default = `False`)
        The first is the hub, the member with the highest sum of covariances with all.
    """

    def __init__(self, hub_start: bool = False) -> None:
        self.hub_start = hub_start

    @abstractmethod
    def matrices(self, covariance: Covariance) -> List[np.ndarray]:
        """Those whose conditional variances count."""

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        variances = [ConditionalVariances(matrix, k) for matrix in self.matrices(covariance)]
        left = np.arange(len(covariance))
        picked: List[int] = []
        for step in range(k):
            if step == 0 and self.hub_start:
                best = first_best(covariance.values.sum(1))
            else:
                best = first_best(np.sum([np.log(each.values[left]) for each in variances], axis=0))
            picked.append(int(left[best]))
            left = np.delete(left, best)
            for each in variances:
                each.condition_on(picked[-1])
        return picked


@CheckpointSelector.register("mmi")
class MaxMutualInformation(GreedySelector):
    """
    Each adds most to the mutual information of the chosen with the rest, as in Huang, Qiu and Church (NeurIPS 2021),
    after Krause, Singh and Guestrin (2008, https://jmlr.org/papers/v9/krause08a.html). One inverse, then two
    incremental Cholesky decompositions: O(m^3 + k^2 m) for k of m members.

    Registered as a `CheckpointSelector` with name "mmi".
    """

    def matrices(self, covariance: Covariance) -> List[np.ndarray]:
        return [covariance.values, covariance.precision]


@CheckpointSelector.register("entropy")
class MaxEntropy(GreedySelector):
    """
    Each is the one that those before it say least about. All first choices are equally good: it is the first member,
    or the hub.

    Registered as a `CheckpointSelector` with name "entropy".
    """

    def matrices(self, covariance: Covariance) -> List[np.ndarray]:
        return [covariance.values]
