"""One contract for every retriever."""

from typing import Callable, Dict

import numpy as np
import pytest

from attribution.retrievers import (
    BalancedRandomRetriever,
    Bm25Retriever,
    ExactRetriever,
    FaissRetriever,
    Pool,
    RandomRetriever,
    Retriever,
    TwoStageRetriever,
)
from tests.retrievers.conftest import NumberEncoder

QUERIES = ["number 3", "number 17", "number 3"]

RETRIEVERS: Dict[str, Callable[[], Retriever]] = {
    "balanced_random": lambda: BalancedRandomRetriever(seed=5),
    "bm25": lambda: Bm25Retriever(),
    "exact": lambda: ExactRetriever(NumberEncoder()),
    "exact l2": lambda: ExactRetriever(NumberEncoder(), metric="l2"),
    "faiss": lambda: FaissRetriever(NumberEncoder(), "Flat"),
    "random": lambda: RandomRetriever(seed=5),
    "two_stage": lambda: TwoStageRetriever(Bm25Retriever(), ExactRetriever(NumberEncoder()), candidates=40),
}


@pytest.mark.parametrize("name", RETRIEVERS)
def test_contract(name: str, pool_path: str) -> None:
    found = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4)
    assert found.ids.shape == found.scores.shape == (3, 4)
    assert found.ids.dtype == np.int64 and found.scores.dtype == np.float32
    assert all(len(set(row)) == 4 and set(row) <= set(range(40)) for row in found.ids)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    again = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4)
    assert (again.ids == found.ids).all() and (again.scores == found.scores).all()
    # What is excluded is never found; where the pool is too small, -1 stands at the end.
    few = RETRIEVERS[name]().retrieve(Pool(pool_path, ["a"]), QUERIES, 12)
    assert (np.sort(few.ids, axis=1) == [-1, -1, *range(30, 40)]).all()
    assert (few.ids[:, 10:] == -1).all() and np.isneginf(few.scores[:, 10:]).all()
