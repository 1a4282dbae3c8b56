"""Queries to pool rows."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common import Registrable

from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.retrievers.pool import Pool


class Retrieved(NamedTuple):
    """What each query found, best first. A query that found fewer rows has id -1 and score -inf at the end."""

    ids: np.ndarray
    """Pool ids, int64. Shape: (queries, k)."""
    scores: np.ndarray
    """Higher is better, float32. Shape: (queries, k)."""


class Retriever(Registrable):
    """Base of what finds the pool rows that suit a query."""

    def identity(self) -> Identity:
        """What it finds depends on this, too, beside its settings: the models and vectors that they name."""
        return {}

    def about(self) -> Dict[str, Any]:
        """What a user should know of the last search, as plain JSON: how exact an index was, say. Empty if nothing."""
        return {}

    @abstractmethod
    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        """
        The `k` best rows for each query. Of rows with equal scores the first in the pool is the better one.

        # Parameters

        engine : `Engine`, optional
            Where the work is done; by default in this process.
        scratch : `Path`, optional
            A folder for what a killed search goes on from; one search with one pool and the same queries has it.
        """


class Best:
    """
    Each query's best rows of those that have gone by.

    # Parameters

    queries : `int`
    k : `int`
        How many rows each query keeps.
    """

    def __init__(self, queries: int, k: int) -> None:
        self.ids = np.full((queries, k), -1, dtype=np.int64)
        self.scores = np.full((queries, k), -np.inf, dtype=np.float32)

    def add(self, found: Retrieved) -> None:
        """Rows that come later in the pool than all that were added. Shapes: (queries, any)."""
        ids, scores = np.hstack([self.ids, found.ids]), np.hstack([self.scores, found.scores])
        self.ids, self.scores = best_of(ids, scores, self.ids.shape[1])

    def retrieved(self) -> Retrieved:
        return Retrieved(self.ids, self.scores)


def best_of(ids: np.ndarray, scores: np.ndarray, k: int) -> Retrieved:
    """The `k` best of each query's candidates, of equal ones the first. Shapes: (queries, candidates)."""
    k = min(k, scores.shape[1])
    # The k-th best score is found without sorting; what reaches it is more than k only where scores are equal.
    least = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k, None]
    queries, places = np.nonzero(scores >= least)
    ranks = np.arange(len(queries)) - np.searchsorted(queries, queries)
    # Shape: (queries, k or more)
    candidates = np.full((len(scores), ranks.max(initial=k - 1) + 1), -1)
    candidates[queries, ranks] = places
    reached = np.where(candidates < 0, -np.inf, np.take_along_axis(scores, candidates, axis=1))
    order = np.take_along_axis(candidates, np.argsort(-reached, axis=1, kind="stable")[:, :k], axis=1)
    return Retrieved(np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1))
