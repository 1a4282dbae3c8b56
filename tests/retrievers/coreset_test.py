from collections import Counter
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import Coreset, Pool, RankedRows
from attribution.retrievers.coreset import sample_by_distance, squared_distances
from tests.retrievers.conftest import NumberEncoder

CLUSTERS = np.concatenate([np.random.default_rng(c).normal(100.0 * c, 0.1, (20, 3)) for c in range(5)])


def _all(vectors: np.ndarray, seed: int, **settings: Any) -> np.ndarray:
    return np.concatenate(list(sample_by_distance(vectors, np.random.default_rng(seed), **settings)))


def test_one_of_each_planted_cluster_comes_first() -> None:
    for seed in range(20):
        assert set(_all(CLUSTERS, seed)[:5] // 20) == set(range(5))


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_every_vector_comes_once(batch: int) -> None:
    vectors = np.concatenate([CLUSTERS, CLUSTERS[:30]])  # With copies.
    drawn = _all(vectors, 3, batch=batch)
    assert sorted(drawn) == list(range(130))
    assert drawn.tolist() == _all(vectors, 3, batch=batch).tolist()


def test_probabilities_are_in_proportion_to_the_squared_distance() -> None:
    vectors = np.array([[0.0], [1.0], [2.0], [3.0]])
    seconds: "Counter[int]" = Counter()
    for seed in range(4000):
        first, second = _all(vectors, seed)[:2]
        if first == 0:
            seconds[int(second)] += 1
    shares = np.array([seconds[number] for number in (1, 2, 3)]) / seconds.total()
    np.testing.assert_allclose(shares, np.array([1, 4, 9]) / 14, atol=0.06)
    assert 800 < seconds.total() < 1200  # The first is drawn uniformly.


def test_what_counts_as_drawn_before() -> None:
    drawn = [_all(CLUSTERS, seed, distances=squared_distances(CLUSTERS, CLUSTERS[20:]))[0] for seed in range(20)]
    assert max(drawn) < 20  # Only the first cluster is new.


def test_distances_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attribution.retrievers.coreset._BLOCK", 7)
    others = CLUSTERS[::9]
    wanted = ((CLUSTERS[:, None] - others) ** 2).sum(2).min(1)
    found = squared_distances(CLUSTERS, others)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert (found[::9] == 0).all()


def test_choosing_among_ranked_rows(pool_path: str) -> None:
    ids = np.array([5, 25, 6, 35, 15])  # 35 is a copy of 5.
    ranked = RankedRows(ids, np.array([9, 8, 7, 6, 5]), np.array([0.5, 0.4, 0.3, 0.2, 0.1], dtype=np.float32))
    chosen = Coreset(NumberEncoder(), size=4, seed=2).choose(Pool(pool_path), ranked)
    assert len(chosen.ids) == 4 and not {5, 35} <= set(chosen.ids)
    assert all(
        chosen.frequencies[place] == dict(zip(ids, ranked.frequencies))[row] for place, row in enumerate(chosen.ids)
    )
    assert set(Coreset(NumberEncoder(), size=9).choose(Pool(pool_path), ranked).ids) == set(ids)
    with pytest.raises(ConfigurationError, match="size is 0"):
        Coreset(NumberEncoder(), size=0)


def test_repeated_rows_cannot_be_spread_out(pool_path: str) -> None:
    ranked = RankedRows(np.array([4, 2, 4]), np.ones(3, dtype=int), np.ones(3, dtype=np.float32))
    with pytest.raises(ConfigurationError, match="leave out `repeats`"):
        Coreset(NumberEncoder(), 2).choose(Pool(pool_path), ranked)
