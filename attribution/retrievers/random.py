"""The baselines that know nothing of the queries."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Optional, Sequence, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
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

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        generator = np.random.default_rng(self.seed)
        allowed = pool.ids("reading the pool")
        found = min(k, len(allowed))
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for query in range(len(queries)):
            ids[query, :found] = generator.choice(allowed, found, replace=False)
            scores[query, :found] = np.sort(generator.random(found, dtype=np.float32))[::-1]
        return Retrieved(ids, scores)


@Retriever.register("balanced_random")
class BalancedRandomRetriever(Retriever):
    """
    For each query, a task is drawn uniformly, then one of its prompt templates, then one of that one's rows, until
    there are enough different rows. What DEFT's `construct_balanced_sample.py` is for. A small task gives all of its
    rows when many are asked for; a row without a task is an error.

    Registered as a `Retriever` with name "balanced_random".

    # Parameters

    seed : `int`, optional (default = `0`)
        The same seed, pool and number of queries give the same rows.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        generator = np.random.default_rng(self.seed)
        numbers: "defaultdict[Tuple[str, str], int]" = defaultdict(lambda: len(numbers))
        rows = [(row.id, numbers[row.task, row.template]) for row in pool.texts("reading the pool")]
        if any(not task for task, _ in numbers):
            raise ConfigurationError(
                f"{pool.path}: balanced_random draws a task first, and there are rows without one; `random` needs none"
            )
        allowed, template_of_row = np.array(rows, dtype=np.int64).T
        templates_of_task = Counter(task for task, _ in numbers)
        shares = np.array([1 / (len(templates_of_task) * templates_of_task[task]) for task, _ in numbers])
        # Shape: (rows,)
        log_weights = np.log(shares / np.bincount(template_of_row))[template_of_row]
        found = min(k, len(allowed))
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for query in range(len(queries)):
            # The largest of these are a weighted draw without replacement (Gumbel's top-k trick).
            keys = (log_weights + generator.gumbel(size=len(allowed))).astype(np.float32)
            best = np.argsort(-keys, kind="stable")[:found]
            ids[query, :found] = allowed[best]
            scores[query, :found] = keys[best]
        return Retrieved(ids, scores)
