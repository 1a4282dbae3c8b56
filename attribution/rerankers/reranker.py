"""From many rows that may suit a target's queries to the few that suit them best."""

from abc import abstractmethod
from math import ceil
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.retrievers import Pool, RankedRows


class Reranked(NamedTuple):
    """The texts that are kept, best first."""

    places: np.ndarray
    """Where they stood, int64. Shape: (kept,)."""
    scores: np.ndarray
    """Each text's score, float32. Shape: (kept,)."""
    about: Dict[str, Any]
    """What a user should know of it, as plain JSON."""


class Reranker(Registrable):
    """
    Base of what puts retrieved rows in a better order, and keeps the best (Lin et al., 2022, section 3.3,
    https://arxiv.org/abs/2204.07937). A subclass scores pairs of a query and a row; a row's score comes from those with
    all queries.

    # Parameters

    size : `int`
        How many rows to keep: |R|.
    upsampling : `float`, optional (default = `2.0`)
        The first `size` times so many rows are looked at: mu. Where there are fewer, all of them are, and their number
        is told.
    max_queries : `int`, optional
        Only the first so many queries count; by default all.
    aggregation : `str`, optional (default = `"mean"`)
        From a row's scores s with the queries to its own: `mean`, `max`, or `softmax`, the mean weighted by softmax(s).
    """

    def __init__(
        self, size: int, upsampling: float = 2.0, max_queries: Optional[int] = None, aggregation: str = "mean"
    ) -> None:
        if size < 1 or upsampling < 1 or (max_queries is not None and max_queries < 1):
            raise ConfigurationError(
                f"reranker: size is {size}, upsampling {upsampling}, max_queries {max_queries}; each at least 1"
            )
        if aggregation not in _AGGREGATIONS:
            raise ConfigurationError(f"reranker: aggregation {aggregation!r} is none of {', '.join(_AGGREGATIONS)}")
        self.size = size
        self.upsampling = upsampling
        self.max_queries = max_queries
        self.aggregation = aggregation

    @property
    def candidates(self) -> int:
        """How many rows it looks at."""
        return ceil(self.size * self.upsampling)

    def identity(self) -> Identity:
        """What the scores depend on beside the settings: the model that they name."""
        return {}

    @abstractmethod
    def score(
        self,
        queries: Sequence[str],
        texts: Sequence[str],
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> np.ndarray:
        """
        # Parameters

        engine : `Engine`, optional
            Where the work is done; by default in this process.
        scratch : `Path`, optional
            A folder for what a killed process goes on from.

        # Returns

        The score of each pair, higher is better, float32. Shape: (queries, texts).
        """

    def rerank(
        self,
        queries: Sequence[str],
        texts: Sequence[str],
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Reranked:
        """The best `size` of the first `candidates` texts; of texts with equal scores the first is the better one."""
        queries, texts = queries[: self.max_queries], texts[: self.candidates]
        if not len(queries) or not len(texts):
            raise ConfigurationError(f"reranker: {len(queries)} queries and {len(texts)} rows; one of each is needed")
        scores = self.score(queries, texts, engine, scratch)
        if not np.isfinite(scores).all():
            raise ConfigurationError("reranker: a score is not a number; the model's weights are damaged")
        of_texts = _AGGREGATIONS[self.aggregation](scores.astype(np.float64)).astype(np.float32)
        places = np.argsort(-of_texts, kind="stable")[: self.size]
        about = {"queries": len(queries), "candidates": len(texts), "kept": len(places)}
        if len(texts) < self.candidates:
            about["candidates_missing"] = self.candidates - len(texts)
        return Reranked(places, of_texts[places], about)

    def rerank_rows(
        self,
        pool: Pool,
        queries: Sequence[str],
        ranked: RankedRows,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Tuple[RankedRows, Dict[str, Any]]:
        """The same of pool rows: those that are kept, with `reranker_scores`, and what is to be said of it."""
        wanted = ranked.ids[: self.candidates].tolist()
        texts = {row.id: row.text for row in pool.whole().among(wanted).texts("reading the candidates")}
        found = self.rerank(queries, [texts[number] for number in wanted], engine, scratch)
        return ranked.take(found.places)._replace(reranker_scores=found.scores), found.about


def _softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(0))
    return (weights * scores).sum(0) / weights.sum(0)


# Each: (queries, texts) to (texts,).
_AGGREGATIONS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": lambda scores: scores.mean(0),
    "max": lambda scores: scores.max(0),
    "softmax": _softmax,
}


def told(about: Dict[str, Any]) -> List[str]:
    """What a reranking's summary says of it."""
    missing = about.get("candidates_missing", 0)
    lines = [f"  reranked: {about['kept']} of {about['candidates']} rows kept, {about['queries']} queries"]
    if missing:
        lines.append(f"  reranked: {missing} candidates fewer than size x upsampling")
    return lines
