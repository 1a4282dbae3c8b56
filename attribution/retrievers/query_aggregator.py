"""From what each query found to one list of rows."""

from abc import abstractmethod
from typing import NamedTuple, Optional

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.retrievers.retriever import Retrieved


class RankedRows(NamedTuple):
    """Pool rows, best first; each once, unless an aggregator repeats them."""

    ids: np.ndarray
    """Pool ids, int64. Shape: (rows,)."""
    frequencies: np.ndarray
    """How many queries found each. Shape: (rows,)."""
    scores: np.ndarray
    """Each row's best score over the queries, float32. Shape: (rows,)."""
    reranker_scores: Optional[np.ndarray] = None
    """Those of a `Reranker`, if there was one, float32. Shape: (rows,)."""

    def take(self, places: np.ndarray) -> "RankedRows":
        """Of these rows, in this order."""
        of_reranker = None if self.reranker_scores is None else self.reranker_scores[places]
        return RankedRows(self.ids[places], self.frequencies[places], self.scores[places], of_reranker)


class QueryAggregator(Registrable):
    """Base of what makes one ranked list of the rows that several queries found."""

    @abstractmethod
    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        """One ranked list; rows that no query found (id -1) are not in it."""


class _Union(NamedTuple):
    """All rows that were found, in pool order, and each finding of one: shapes (rows,) and (findings,)."""

    ids: np.ndarray
    frequencies: np.ndarray
    scores: np.ndarray
    """Each row's best."""
    findings: np.ndarray
    """Of each finding, the row's place in `ids`; findings are in order of query, then rank."""
    queries: np.ndarray
    ranks: np.ndarray
    finding_scores: np.ndarray

    def ranked(self, order: np.ndarray) -> RankedRows:
        return RankedRows(self.ids[order], self.frequencies[order], self.scores[order])


def _union(retrieved: Retrieved) -> _Union:
    queries, ranks = np.nonzero(retrieved.ids >= 0)
    found = retrieved.ids[queries, ranks]
    finding_scores = retrieved.scores[queries, ranks]
    ids, findings, frequencies = np.unique(found, return_inverse=True, return_counts=True)
    scores = np.full(len(ids), -np.inf, dtype=np.float32)
    np.maximum.at(scores, findings, finding_scores)
    return _Union(ids, frequencies, scores, findings, queries, ranks, finding_scores)


@QueryAggregator.register("frequency")
class FrequencyAggregator(QueryAggregator):
    """
    The union of all queries' rows, ranked by how many queries found them, then by best score, then by place in the
    pool. Without a bound it is DEFT's selection (Ivison et al., 2023, section 2), which keeps the whole union. With a
    small budget the ranking matters: rows found by one query only are noisy.

    Registered as a `QueryAggregator` with name "frequency".

    # Parameters

    size : `int`, optional
        How many rows to keep; by default all.
    neighbours : `int`, optional
        Only so many of each query's rows count; by default all.
    min_score : `float`, optional
        Only rows with at least this score count: a bound on the distance.
    """

    def __init__(
        self, size: Optional[int] = None, neighbours: Optional[int] = None, min_score: Optional[float] = None
    ) -> None:
        _at_least_one("frequency", "size", size)
        self.size = size
        _at_least_one("frequency", "neighbours", neighbours)
        self.neighbours = neighbours
        self.min_score = min_score

    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        ids, scores = retrieved.ids[:, : self.neighbours], retrieved.scores[:, : self.neighbours]
        if self.min_score is not None:
            ids = np.where(scores >= self.min_score, ids, -1)
        union = _union(Retrieved(ids, scores))
        return union.ranked(np.lexsort((union.ids, -union.scores, -union.frequencies))[: self.size])


@QueryAggregator.register("rank_cut")
class RankCutAggregator(QueryAggregator):
    """
    The union of each query's first rows, as many of them as keep it within a size: the same number for all queries.
    DEFT's way to compare retrievers at one size (`reduce_indices_to_balanced.py` for dense search and
    `parse_pyserini_output.py` for BM25). Ranked as by `frequency`.

    Registered as a `QueryAggregator` with name "rank_cut".

    # Parameters

    size : `int`
        The most rows to keep.
    """

    def __init__(self, size: int) -> None:
        _at_least_one("rank_cut", "size", size)
        self.size = size

    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        union = _union(retrieved)
        first_ranks = np.full(len(union.ids), retrieved.ids.shape[1])
        np.minimum.at(first_ranks, union.findings, union.ranks)
        # How many rows the union has when each query keeps 1, 2, ... of its own.
        sizes = np.bincount(first_ranks, minlength=retrieved.ids.shape[1]).cumsum()
        cut = int(np.searchsorted(sizes, self.size, side="right"))
        if not cut:
            raise ConfigurationError(
                f"rank_cut: the first row of each query makes {sizes[0]} already; size {self.size}"
            )
        return FrequencyAggregator(neighbours=cut).aggregate(retrieved)


@QueryAggregator.register("quota")
class QuotaAggregator(QueryAggregator):
    """
    The same number of rows from each query, query by query: ReCross's `aggregate_choices` (Lin et al., 2022,
    https://arxiv.org/abs/2204.07937), where 16 queries give 32 rows each.

    Registered as a `QueryAggregator` with name "quota".

    # Parameters

    size : `int`
        Rows in all; each query that found some gives `size` over the number of such queries, rounded up.
    repeats : `bool`, optional (default = `False`)
        Whether a row that two queries gave stands there twice, as published: 16 times 32 rows are 512 whatever they
        are. By default it is kept once, and there may be fewer rows than `size`.
    """

    def __init__(self, size: int, repeats: bool = False) -> None:
        _at_least_one("quota", "size", size)
        self.size = size
        self.repeats = repeats

    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        each = -(-self.size // max(1, int((retrieved.ids >= 0).any(axis=1).sum())))
        union = _union(Retrieved(retrieved.ids[:, :each], retrieved.scores[:, :each]))
        order = union.findings if self.repeats else _in_order_of_first(union.findings)
        return union.ranked(order[: self.size])


@QueryAggregator.register("round_robin")
class RoundRobinAggregator(QueryAggregator):
    """
    Queries take turns: each adds the best of its rows that is not there yet, until there are enough.

    Registered as a `QueryAggregator` with name "round_robin".

    # Parameters

    size : `int`, optional
        How many rows to keep; by default all.
    """

    def __init__(self, size: Optional[int] = None) -> None:
        _at_least_one("round_robin", "size", size)
        self.size = size

    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        union = _union(retrieved)
        starts = np.searchsorted(union.queries, np.arange(len(retrieved.ids) + 1))
        waiting = [iter(union.findings[start:end].tolist()) for start, end in zip(starts, starts[1:])]
        order: "dict[int, None]" = {}
        wanted = len(union.ids) if self.size is None else min(self.size, len(union.ids))
        while len(order) < wanted:
            for rows in waiting:
                new = next((row for row in rows if row not in order), None)
                if new is not None and len(order) < wanted:
                    order[new] = None
        return union.ranked(np.fromiter(order, dtype=np.int64, count=len(order)))


@QueryAggregator.register("mean_score")
class MeanScoreAggregator(QueryAggregator):
    """
    Rows by their mean score over the queries that found them: ReCross's `aggregate_scores`, which asks each query for
    half as many again as its share. As published, a row that one query found competes with its one score.

    Registered as a `QueryAggregator` with name "mean_score".

    # Parameters

    size : `int`, optional
        How many rows to keep; by default all.
    """

    def __init__(self, size: Optional[int] = None) -> None:
        _at_least_one("mean_score", "size", size)
        self.size = size

    def aggregate(self, retrieved: Retrieved) -> RankedRows:
        union = _union(retrieved)
        sums = np.bincount(union.findings, weights=union.finding_scores, minlength=len(union.ids))
        return union.ranked(np.lexsort((union.ids, -sums / union.frequencies))[: self.size])


def _in_order_of_first(values: np.ndarray) -> np.ndarray:
    """Different values in the order in which they first appear."""
    different, first = np.unique(values, return_index=True)
    return different[np.argsort(first)]


def _at_least_one(name: str, setting: str, value: Optional[int]) -> None:
    if value is not None and value < 1:
        raise ConfigurationError(f"{name}: {setting} is {value}; at least one is needed")
