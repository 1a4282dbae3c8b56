"""From what each query found to one list of rows."""

from abc import abstractmethod
from typing import NamedTuple, Optional

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.retrievers.retriever import Retrieved


class RankedRows(NamedTuple):
    """Different pool rows, best first."""

    ids: np.ndarray
    """Pool ids, int64. Shape: (rows,)."""
    frequencies: np.ndarray
    """How many queries found each. Shape: (rows,)."""
    scores: np.ndarray
    """Each row's best score over the queries, float32. Shape: (rows,)."""


class QueryAggregator(Registrable):
    """Base of what makes one ranked list of the rows that several queries found."""

    @abstractmethod
    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        """One ranked list; rows that no query found (id -1) are not in it."""


@QueryAggregator.register("frequency")
class FrequencyAggregator(QueryAggregator):
    """
    The union of all queries' rows, ranked by how many queries found them, then by best score, then by place in the
    pool. Without a size it is DEFT's selection (Ivison et al., 2023, section 2), which keeps the whole union. With a
    small budget the ranking matters: rows found by one query only are noisy.

    Registered as a `QueryAggregator` with name "frequency".

    # Parameters

    size : `int`, optional
        How many rows to keep; by default all.
    """

    def __init__(self, size: Optional[int] = None) -> None:
        if size is not None and size < 1:
            raise ConfigurationError(f"frequency: size is {size}; at least one row is needed")
        self.size = size

    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        found = retrieved.ids >= 0
        ids, inverse, frequencies = np.unique(retrieved.ids[found], return_inverse=True, return_counts=True)
        scores = np.full(len(ids), -np.inf, dtype=np.float32)
        np.maximum.at(scores, inverse, retrieved.scores[found])
        order = np.lexsort((ids, -scores, -frequencies))[: self.size]
        return RankedRows(ids[order], frequencies[order], scores[order])
