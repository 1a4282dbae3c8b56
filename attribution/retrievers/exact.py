"""Exact nearest neighbours, kept while the pool is encoded: no index, no stored vectors."""

from itertools import tee
from typing import Iterator, Optional, Sequence, Tuple

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.encoders import Encoder, Vectors
from attribution.encoders.vectors import source
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever


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
        if metric not in ("inner_product", "l2"):
            raise ConfigurationError(f"exact: metric {metric!r} is none of inner_product, l2")
        self.encoder = encoder
        self.metric = metric
        self.vectors = None if vectors is None else Vectors(vectors)

    def retrieve(self, pool: Pool, queries: Sequence[str], k: int) -> Retrieved:
        # Shape: (queries, dimension)
        wanted = torch.from_numpy(self.encoder.encode(queries))
        scores = torch.full((len(queries), k), -torch.inf)
        ids = torch.full((len(queries), k), -1)
        for block, vectors in self._encoded(pool) if self.vectors is None else self._stored(pool, self.vectors):
            block_ids = torch.from_numpy(block)
            candidates = torch.cat([scores, self._scores(wanted, torch.from_numpy(vectors))], dim=1)
            # A stable sort: of equal scores the earlier row stays ahead.
            scores, order = (best[:, :k] for best in candidates.sort(dim=1, descending=True, stable=True))
            ids = torch.cat([ids, block_ids.expand(len(queries), -1)], dim=1).gather(1, order)
        return Retrieved(ids.numpy(), scores.numpy())

    def _encoded(self, pool: Pool) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        """Row numbers and vectors, a block at a time. Shapes: (rows,) and (rows, dimension)."""
        for_ids, for_texts = tee(pool.texts("encoding the pool"))
        numbers = (row.id for row in for_ids)
        for vectors in self.encoder.encode_blocks(row.text for row in for_texts):
            yield np.fromiter(numbers, dtype=np.int64, count=len(vectors)), vectors

    def _stored(self, pool: Pool, stored: Vectors) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
        """The same."""
        stored.check(source(pool.rows.path, self.encoder))
        numbers = np.fromiter((row.id for row in pool.texts("searching the pool")), dtype=np.int64)
        first = 0
        for vectors in stored.blocks():
            inside = numbers[(numbers >= first) & (numbers < first + len(vectors))]
            if len(inside):
                yield inside, np.asarray(vectors[inside - first], dtype=np.float32)
            first += len(vectors)

    def _scores(self, queries: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Shape: (queries, rows)."""
        products = queries @ rows.T
        if self.metric == "inner_product":
            return products
        return 2 * products - rows.square().sum(1) - queries.square().sum(1, keepdim=True)
