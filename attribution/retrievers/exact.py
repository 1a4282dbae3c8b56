"""Exact nearest neighbours, kept while the pool is encoded: no index, no stored vectors."""

from itertools import tee
from typing import Sequence

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.encoders import Encoder
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever


@Retriever.register("exact")
class ExactRetriever(Retriever):
    """
    Encodes the queries, then the pool, and keeps each query's best rows as the pool goes by.

    Registered as a `Retriever` with name "exact".

    # Parameters

    encoder : `Encoder`
        Used for queries and pool alike.
    metric : `str`, optional (default = `"inner_product"`)
        `inner_product` (the cosine, if the encoder normalizes) or `l2`, the negative squared distance, as DEFT's index.
    """

    def __init__(self, encoder: Encoder, metric: str = "inner_product") -> None:
        if metric not in ("inner_product", "l2"):
            raise ConfigurationError(f"exact: metric {metric!r} is none of inner_product, l2")
        self.encoder = encoder
        self.metric = metric

    def retrieve(self, pool: Pool, queries: Sequence[str], k: int) -> Retrieved:
        # Shape: (queries, dimension)
        wanted = torch.from_numpy(self.encoder.encode(queries))
        scores = torch.full((len(queries), k), -torch.inf)
        ids = torch.full((len(queries), k), -1)
        for_ids, for_texts = tee(pool.texts("encoding the pool"))
        numbers = (row.id for row in for_ids)
        for vectors in self.encoder.encode_blocks(row.text for row in for_texts):
            block_ids = torch.from_numpy(np.fromiter(numbers, dtype=np.int64, count=len(vectors)))
            candidates = torch.cat([scores, self._scores(wanted, torch.from_numpy(vectors))], dim=1)
            # A stable sort: of equal scores the earlier row stays ahead.
            scores, order = (best[:, :k] for best in candidates.sort(dim=1, descending=True, stable=True))
            ids = torch.cat([ids, block_ids.expand(len(queries), -1)], dim=1).gather(1, order)
        return Retrieved(ids.numpy(), scores.numpy())

    def _scores(self, queries: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Shape: (queries, rows)."""
        products = queries @ rows.T
        if self.metric == "inner_product":
            return products
        return 2 * products - rows.square().sum(1) - queries.square().sum(1, keepdim=True)
