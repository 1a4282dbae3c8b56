"""One contract for every retriever."""

from typing import Callable, Dict

import numpy as np
import pytest

from attribution.common.engines import RayEngine
from attribution.retrievers import (
    BalancedRandomRetriever,
    Bm25Retriever,
    ExactRetriever,
    FaissRetriever,
    GroupRemovalRetriever,
    LuceneRetriever,
    Pool,
    RandomRetriever,
    Retriever,
    TwoStageRetriever,
)
from tests.retrievers.conftest import NumberEncoder

QUERIES = ["number 3", "number 17", "number 3"]


def _lucene() -> Retriever:
    pytest.importorskip("pyserini", reason="make test-lucene has it")
    return LuceneRetriever(threads=2)


RETRIEVERS: Dict[str, Callable[[], Retriever]] = {
    "balanced_random": lambda: BalancedRandomRetriever(seed=5),
    "bm25": lambda: Bm25Retriever(),
    "exact": lambda: ExactRetriever(NumberEncoder()),
    "exact l2": lambda: ExactRetriever(NumberEncoder(), metric="l2"),
    "faiss": lambda: FaissRetriever(NumberEncoder(), "Flat"),
    "group_removal": lambda: GroupRemovalRetriever(ExactRetriever(NumberEncoder()), {"other": ["c"]}, ["other"]),
    "lucene": _lucene,
    "random": lambda: RandomRetriever(seed=5),
    "two_stage": lambda: TwoStageRetriever(Bm25Retriever(), ExactRetriever(NumberEncoder()), candidates=40),
}


@pytest.fixture
def pool_path(name: str, pool_path: str) -> str:
    if name == "group_removal":  # Rows that would be found first, and are not in the pool for it.
        with open(pool_path, "a") as file:
            file.write('{"input": "number 3", "target": "x", "task": "c"}\n' * 5)
    return pool_path


def _set_part_size(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    for module in ("pool", "faiss"):
        monkeypatch.setattr(f"attribution.retrievers.{module}.ROWS_PER_PART", rows)


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


@pytest.mark.parametrize("name", RETRIEVERS)
def test_workers_do_not_change_a_byte(
    name: str, ray_engines: Dict[int, RayEngine], pool_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set_part_size(monkeypatch, 6)
    here = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4)
    for engine in ray_engines.values():
        there = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 4, engine)
        assert (there.ids == here.ids).all() and (there.scores == here.scores).all()


@pytest.mark.parametrize("name", RETRIEVERS)
def test_part_sizes_do_not_matter(name: str, pool_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 12)
    _set_part_size(monkeypatch, 3)
    monkeypatch.setattr("attribution.retrievers.bm25._PARTS_PER_BLOCK", 2)
    parts = RETRIEVERS[name]().retrieve(Pool(pool_path), QUERIES, 12)
    # A product of other shapes may round its last digit differently: then rows at equal distances change places.
    np.testing.assert_allclose(parts.scores, whole.scores, atol=1e-6)
