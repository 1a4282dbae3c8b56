"""One contract for every reranker, and what the base does."""

from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import RayEngine
from attribution.rerankers import CrossEncoderReranker, Reranker
from attribution.retrievers import Pool, RankedRows
from tests.rerankers.conftest import NearnessReranker

QUERIES = ["number 3", "number 17"]
TEXTS = [f"number {n}" for n in (30, 4, 16, 4, 9)]

RERANKERS: Dict[str, Callable[[Any], Callable[..., Reranker]]] = {
    "nearness": lambda get: NearnessReranker,
    "cross_encoder": lambda get: lambda **settings: CrossEncoderReranker(get(2), **settings),
    "cross_encoder, one logit": lambda get: lambda **settings: CrossEncoderReranker(get(1), **settings),
}


@pytest.mark.parametrize("name", RERANKERS)
@pytest.mark.parametrize("aggregation", ["mean", "max", "softmax"])
def test_contract(name: str, aggregation: str, tiny_classifier: Any) -> None:
    make = RERANKERS[name](tiny_classifier)
    reranker = make(size=3, aggregation=aggregation)
    found = reranker.rerank(QUERIES, TEXTS)
    assert found.places.shape == found.scores.shape == (3,) and found.scores.dtype == np.float32
    assert (np.diff(found.scores) <= 0).all() and len(set(found.places)) == 3
    assert found.about == {"queries": 2, "candidates": 5, "kept": 3, "candidates_missing": 1}
    again = make(size=3, aggregation=aggregation).rerank(QUERIES, TEXTS)
    assert (again.places == found.places).all() and (again.scores == found.scores).all()
    # Of equal texts the first is the better one.
    every = make(size=5, aggregation=aggregation).rerank(QUERIES, TEXTS).places.tolist()
    assert every.index(1) < every.index(3)


@pytest.mark.parametrize("name", ["cross_encoder"])
def test_workers_do_not_change_a_byte(
    name: str, tiny_classifier: Any, ray_engines: Dict[int, RayEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attribution.rerankers.cross_encoder._WINDOW", 3)
    found = [RERANKERS[name](tiny_classifier)(size=5).rerank(QUERIES, TEXTS, ray_engines[n]) for n in (1, 2)]
    assert (found[0].scores == found[1].scores).all() and (found[0].places == found[1].places).all()


@pytest.mark.parametrize(
    "aggregation, scores",
    # With 3 and 17: 30 is 27 and 13 away, 4 is 1 and 13, 16 is 13 and 1, 9 is 6 and 8.
    [("mean", [-20, -7, -7, -7, -7]), ("max", [-13, -1, -1, -1, -6])],
)
def test_aggregations_by_hand(aggregation: str, scores: List[float]) -> None:
    found = NearnessReranker(size=5, aggregation=aggregation).rerank(QUERIES, TEXTS)
    assert found.scores[np.argsort(found.places)].tolist() == scores


def test_softmax_is_between_mean_and_max() -> None:
    [score] = NearnessReranker(size=1, aggregation="softmax").rerank(QUERIES, ["number 9"]).scores
    weights = np.exp([-6, -8]) / np.exp([-6, -8]).sum()
    assert score == pytest.approx(weights @ [-6, -8]) and -7 < score < -6


def test_only_the_first_queries_count() -> None:
    found = NearnessReranker(size=2, max_queries=1).rerank(QUERIES, TEXTS)
    assert found.places.tolist() == [1, 3] and found.about["queries"] == 1


def test_no_more_rows_are_looked_at_than_size_times_upsampling() -> None:
    found = NearnessReranker(size=1, upsampling=1.5).rerank(["number 9"], TEXTS)
    assert found.places.tolist() == [1] and found.about == {"queries": 1, "candidates": 2, "kept": 1}


def test_fewer_candidates_than_asked_for_are_counted() -> None:
    found = NearnessReranker(size=4, upsampling=2).rerank(QUERIES, TEXTS)
    assert found.about == {"queries": 2, "candidates": 5, "kept": 4, "candidates_missing": 3}


def test_rows_of_a_pool(write_jsonl: Any) -> None:
    pool = Pool(write_jsonl("pool.jsonl", [{"input": text, "target": "x", "task": "a"} for text in TEXTS]))
    ranked = RankedRows(
        np.array([4, 0, 1, 2]), np.array([2, 1, 1, 1]), np.array([0.4, 0.3, 0.2, 0.1], dtype=np.float32)
    )
    rows, about = NearnessReranker(size=2, upsampling=1.5).rerank_rows(pool, ["number 5"], ranked)
    assert rows.ids.tolist() == [1, 4] and rows.frequencies.tolist() == [1, 2]
    assert rows.reranker_scores is not None and rows.reranker_scores.tolist() == [-1, -4]
    assert about["candidates"] == 3
    twice = ranked.take(np.array([0, 2, 0, 2]))
    rows, _ = NearnessReranker(size=3, upsampling=1.5).rerank_rows(pool, ["number 5"], twice)
    assert rows.ids.tolist() == [1, 1, 4]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"size": 0}, "size is 0"),
        ({"upsampling": 0.5}, "upsampling 0.5"),
        ({"max_queries": 0}, "max_queries 0"),
        ({"aggregation": "median"}, "aggregation 'median' is none of mean, max, softmax"),
    ],
)
def test_wrong_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        NearnessReranker(**{"size": 1, **settings})


def test_scores_that_are_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NearnessReranker, "score", lambda *_: np.array([[np.nan]]))
    with pytest.raises(ConfigurationError, match="a score is not a number"):
        NearnessReranker(size=1).rerank(QUERIES, TEXTS)
    with pytest.raises(ConfigurationError, match="0 queries"):
        NearnessReranker(size=1).rerank([], TEXTS)
