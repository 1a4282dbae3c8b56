"""The baseline that knows nothing of the queries."""

from typing import Sequence

import numpy as np

from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever


@Retriever.register("random")
class RandomRetriever(Retriever):
    """
    For each query, different rows drawn uniformly from the pool.

    Registered as a `Retriever` with name "random".

    # Parameters

    seed : `int`, optional (default = `0`)
        The same seed, pool and number of queries give the same rows.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def retrieve(self, pool: Pool, queries: Sequence[str], k: int) -> Retrieved:
        generator = np.random.default_rng(self.seed)
        allowed = np.fromiter((row.id for row in pool.texts("reading the pool")), dtype=np.int64)
        found = min(k, len(allowed))
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for query in range(len(queries)):
            ids[query, :found] = generator.choice(allowed, found, replace=False)
            scores[query, :found] = np.sort(generator.random(found, dtype=np.float32))[::-1]
        return Retrieved(ids, scores)
