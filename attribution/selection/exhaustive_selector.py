"""The best set there is."""

from itertools import combinations, islice
from math import comb
from typing import List, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.selection.checkpoint_selector import TIE, CheckpointSelector, first_best
from attribution.selection.covariance import Covariance

_BATCH = 10_000


@CheckpointSelector.register("exhaustive")
class ExhaustiveSelector(CheckpointSelector):
    """
    The set with the highest mutual information with the rest, of all sets of k: for small zoos. They are in the order
    of the zoo.

    Registered as a `CheckpointSelector` with name "exhaustive".

    # Parameters

    max_sets : `int`, optional (default = `1000000`)
        More sets than these are an error.
    """

    def __init__(self, max_sets: int = 1_000_000) -> None:
        self.max_sets = max_sets

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        count = comb(len(covariance), k)
        if count > self.max_sets:
            raise ConfigurationError(
                f"exhaustive: there are {count} sets of {k} among {len(covariance)}, above {self.max_sets} "
                "(`max_sets`); use mmi"
            )
        sets = combinations(range(len(covariance)), k)
        best: Tuple[int, ...] = ()
        highest = -np.inf
        while batch := list(islice(sets, _BATCH)):
            information = _information(covariance, np.array(batch))
            number = first_best(information)
            if information[number] > highest + TIE:
                best, highest = batch[number], information[number]
        return list(best)


def _information(covariance: Covariance, sets: np.ndarray) -> np.ndarray:
    """(log |S_A| + log |(S^-1)_A|) / 2, the second being log |S_B| - log |S|. Shape: (sets, k) -> (sets,)"""
    # Shape: (sets, k, k)
    blocks = [matrix[sets[:, :, None], sets[:, None, :]] for matrix in (covariance.values, covariance.precision)]
    return sum(np.linalg.slogdet(block).logabsdet for block in blocks) / 2
