"""From how alike the members of a zoo are to the few that stand for it."""

from abc import abstractmethod
from pathlib import Path
from typing import List, NamedTuple

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.selection.covariance import Covariance

TIE = 1e-6
"""
Scores that differ by no more are equal, so that the choice is the same on every machine: where a member is there twice,
gains are rounded from the eighth digit on.
"""


class Selection(NamedTuple):
    """Some members of a zoo, in the order in which they were chosen."""

    names: List[str]
    indices: List[int]
    """Their rows in the covariance, from 0."""
    information: List[float]
    """The mutual information of those so far with the rest, in nats, after each."""


class CheckpointSelector(Registrable):
    """Base of the ways to choose members of a zoo: checkpoints, deltas, experts."""

    def select(self, covariance: Covariance, k: int) -> Selection:
        """
        # Raises

        `ConfigurationError` if there are no k members.
        """
        if not 1 <= k <= len(covariance):
            raise ConfigurationError(f"k is {k}; a number from 1 to the {len(covariance)} members is needed")
        indices = self.pick(covariance, k)
        return Selection([covariance.names[index] for index in indices], indices, covariance.information(indices))

    @abstractmethod
    def pick(self, covariance: Covariance, k: int) -> List[int]:
        """k different rows of the covariance. Where members are equally good, the first of them."""

    def inputs(self) -> List[Path]:
        """The files that the choice depends on."""
        return []


def first_best(scores: np.ndarray) -> int:
    """The first of those that are the highest."""
    return int(np.flatnonzero(scores >= scores.max() - TIE)[0])
