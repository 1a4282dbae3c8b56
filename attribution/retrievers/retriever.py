"""Queries to pool rows."""

from abc import abstractmethod
from typing import NamedTuple, Sequence

import numpy as np
from allennlp.common import Registrable

from attribution.retrievers.pool import Pool


class Retrieved(NamedTuple):
    """What each query found, best first. A query that found fewer rows has id -1 and score -inf at the end."""

    ids: np.ndarray
    """Pool ids, int64. Shape: (queries, k)."""
    scores: np.ndarray
    """Higher is better, float32. Shape: (queries, k)."""


class Retriever(Registrable):
    """Base of what finds the pool rows that suit a query."""

    @abstractmethod
    def retrieve(self, pool: Pool, queries: Sequence[str], k: int) -> Retrieved:
        """The `k` best rows for each query. Of rows with equal scores the first in the pool is the better one."""
