"""Exact nearest neighbours, kept while the pool is encoded: no index, no stored vectors."""

from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import writing_beside

from attribution.common.arrays import UNREADABLE
from attribution.common.engines import Engine, InProcessEngine
from attribution.common.kept import discard
from attribution.common.manifest import Identity
from attribution.encoders import Encoder, Vectors
from attribution.encoders.vectors import open_shard, source
from attribution.retrievers.pool import Pool, PoolPart
from attribution.retrievers.retriever import Best, Retrieved, Retriever, best_of

METRICS = ("inner_product", "l2")

_STATE = "exact_search.npz"
_PARTS_PER_STATE = 4


@Retriever.register("exact")
class ExactRetriever(Retriever):
    """
    Encodes the queries, then the pool, and keeps each query's best rows as the pool goes by. Stored vectors, where they
    are given, go by instead.

    Registered as a `Retriever` with name "exact".

    # Parameters

    encoder : `Encoder`
        Used for queries and pool alike.
    metric : `str`, optional (default = `"inner_product"`)
        `inner_product` (the cosine, if the encoder normalizes) or `l2`, the negative squared distance, as DEFT's index.
    vectors : `str`, optional
        A directory that `allennlp embed` wrote with this pool and an equal encoder.
    """

    def __init__(self, encoder: Encoder, metric: str = "inner_product", vectors: Optional[str] = None) -> None:
        if metric not in METRICS:
            raise ConfigurationError(f"exact: metric {metric!r} is none of {', '.join(METRICS)}")
        self.encoder = encoder
        self.metric = metric
        self.vectors = None if vectors is None else Vectors(vectors)
        self._texts_cut = 0

    def about(self) -> Dict[str, Any]:
        """How many `texts_cut` there were, of queries and rows that were encoded now."""
        return {"texts_cut": self._texts_cut} if self._texts_cut else {}

    def identity(self) -> Identity:
        return {"encoder": self.encoder.identity, "vectors": None if self.vectors is None else self.vectors.identity}

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        before = self.encoder.texts_cut
        nearest = Nearest(self.encoder, self.encoder.encode_queries(queries), self.metric, k)
        best = Best(len(queries), k)
        state = None if scratch is None else scratch / _STATE
        done, rows_cut = (0, 0) if state is None else _restore(best, state)
        queries_cut = self.encoder.texts_cut - before
        for part in (engine or InProcessEngine()).map(nearest, islice(self._parts(pool), done, None)):
            best.add(part.found)
            rows_cut += part.texts_cut
            done += 1
            if state is not None and done % _PARTS_PER_STATE == 0:
                _save(best, done, rows_cut, state)
        self._texts_cut = queries_cut + rows_cut
        if state is not None:
            state.unlink(missing_ok=True)
        return best.retrieved()

    def _parts(self, pool: Pool) -> "Iterator[Union[PoolPart, StoredPart]]":
        if self.vectors is None:
            return pool.parts("encoding the pool")
        self.vectors.check(source(pool.identity(), self.encoder))
        return stored_parts(self.vectors, pool.ids("searching the pool"))


class StoredPart(NamedTuple):
    """Rows of one shard of stored vectors."""

    ids: np.ndarray
    shard: Path
    first: int
    """The shard's first row."""


class FoundInPart(NamedTuple):
    """What each query found in a part of the pool."""

    found: Retrieved
    texts_cut: int


class Nearest:
    """A part of the pool to the `k` rows in it that are nearest to each query."""

    def __init__(self, encoder: Encoder, queries: np.ndarray, metric: str, k: int) -> None:
        self.encoder = encoder
        self.queries = queries
        self.metric = metric
        self.k = k

    def __call__(self, part: Union[PoolPart, StoredPart]) -> FoundInPart:
        texts_cut = 0
        if isinstance(part, PoolPart):
            before = self.encoder.texts_cut
            vectors = self.encoder.encode(part.texts)
            texts_cut = self.encoder.texts_cut - before
        else:
            vectors = open_shard(part.shard)[part.ids - part.first].astype(np.float32)
        if not np.isfinite(vectors).all():
            raise ConfigurationError(f"rows {part.ids[0]} to {part.ids[-1]} of the pool: a vector is not finite")
        scores = exact_scores(self.queries, vectors, self.metric)
        found = best_of(np.broadcast_to(part.ids, scores.shape), scores, self.k)
        return FoundInPart(found, texts_cut)


def exact_scores(queries: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    """Shape: (queries, rows)."""
    left, right = torch.from_numpy(queries), torch.from_numpy(rows)
    products = left @ right.T
    if metric == "l2":
        products = 2 * products - right.square().sum(1) - left.square().sum(1, keepdim=True)
    return products.numpy()


def stored_parts(stored: Vectors, numbers: np.ndarray) -> Iterator[StoredPart]:
    """Where the rows of these numbers, in increasing order, are stored."""
    shards = stored.shards()
    ends = [first for first, _ in shards[1:]] + [len(stored)]
    for (first, shard), end in zip(shards, ends):
        inside = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, end)]
        if len(inside):
            yield StoredPart(inside, shard, first)


def _restore(best: Best, state: Path) -> Tuple[int, int]:
    """
    How many parts of the pool had gone by when the state was saved, and of how many rows the texts were cut; `best`
    then holds what they had.
    """
    if not state.is_file():
        return 0, 0
    try:
        with np.load(state, allow_pickle=False) as saved:
            ids, scores = saved["ids"], saved["scores"]
            done, rows_cut = int(saved["done"]), int(saved["rows_cut"])
    except UNREADABLE as error:
        discard(state, f"cannot be read ({error})")
        return 0, 0
    if (ids.dtype, ids.shape, scores.dtype, scores.shape) != (
        best.ids.dtype, best.ids.shape, best.scores.dtype, best.scores.shape
    ) or np.isnan(scores).any():  # fmt: skip
        discard(state, f"has {scores.dtype} scores of shape {scores.shape}")
        return 0, 0
    best.ids, best.scores = ids, scores
    return done, rows_cut


def _save(best: Best, done: int, rows_cut: int, state: Path) -> None:
    with writing_beside(state) as beside, open(beside, "wb") as file:
        np.savez(file, ids=best.ids, scores=best.scores, done=done, rows_cut=rows_cut)
