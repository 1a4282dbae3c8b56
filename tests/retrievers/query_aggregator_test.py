import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import (
    FrequencyAggregator,
    MeanScoreAggregator,
    QueryAggregator,
    QuotaAggregator,
    RankCutAggregator,
    Retrieved,
    RoundRobinAggregator,
)


def test_quota_is_of_the_queries_that_count() -> None:
    ids = np.full((10, 4), -1)
    ids[0], ids[5] = [0, 1, 2, 3], [4, 5, 6, 7]
    found = Retrieved(ids, np.where(ids < 0, -np.inf, 1.0).astype(np.float32))
    assert QuotaAggregator(6).aggregate(found).ids.tolist() == [0, 1, 2, 4, 5, 6]


def test_published_choices_repeat_what_several_queries_found() -> None:
    # Against the published rule: the lists one after the other, each of 32.
    generator = np.random.default_rng(0)
    ids = np.stack([generator.choice(60, 40, replace=False) for _ in range(16)])
    scores = generator.random(ids.shape).astype(np.float32)
    ranked = QuotaAggregator(512, repeats=True).aggregate(Retrieved(ids, scores))
    assert ranked.ids.tolist() == [row for found in ids for row in found[:32]]
    once = QuotaAggregator(512).aggregate(Retrieved(ids, scores))
    assert once.ids.tolist() == list(dict.fromkeys(ranked.ids.tolist())) and len(once.ids) < 512
    assert dict(zip(ranked.ids, ranked.scores)) == dict(zip(once.ids, once.scores))


def test_frequency_by_hand() -> None:
    retrieved = Retrieved(
        np.array([[4, 2, 9], [2, 7, -1], [9, 2, 5]]),
        np.array([[0.9, 0.5, 0.1], [0.8, 0.3, -np.inf], [0.7, 0.6, 0.9]], dtype=np.float32),
    )
    ranked = FrequencyAggregator().aggregate(retrieved)
    # 2 was found three times, 9 twice; 4 and 5 once with equal scores, 7 once with less.
    assert ranked.ids.tolist() == [2, 9, 4, 5, 7]
    assert ranked.frequencies.tolist() == [3, 2, 1, 1, 1]
    assert ranked.scores.tolist() == pytest.approx([0.8, 0.7, 0.9, 0.9, 0.3])
    assert FrequencyAggregator(2).aggregate(retrieved).ids.tolist() == [2, 9]
    with pytest.raises(ConfigurationError, match="size is 0"):
        FrequencyAggregator(0)


FOUND = Retrieved(
    np.array([[4, 2, 9], [2, 7, -1], [9, 2, 5]]),
    np.array([[0.9, 0.5, 0.1], [0.8, 0.3, -np.inf], [0.7, 0.6, 0.9]], dtype=np.float32),
)


def test_bounds_by_neighbours_and_by_score() -> None:
    ranked = FrequencyAggregator(neighbours=1).aggregate(FOUND)
    assert ranked.ids.tolist() == [4, 2, 9] and ranked.frequencies.tolist() == [1, 1, 1]
    assert FrequencyAggregator(min_score=0.6).aggregate(FOUND).ids.tolist() == [2, 4, 5, 9]


def test_rank_cut_is_the_largest_union_within_the_size() -> None:
    # One row each: 4, 2, 9. Two each: 4, 2, 7, 9. Three each: and 5.
    for size, ids in ((3, [4, 2, 9]), (4, [2, 4, 9, 7]), (5, [2, 9, 4, 5, 7]), (9, [2, 9, 4, 5, 7])):
        assert RankCutAggregator(size).aggregate(FOUND).ids.tolist() == ids
    with pytest.raises(ConfigurationError, match="makes 3 already"):
        RankCutAggregator(2).aggregate(FOUND)


def test_rank_cut_against_lowering_the_cut_one_by_one() -> None:
    generator = np.random.default_rng(0)
    ids = np.stack([generator.choice(60, 20, replace=False) for _ in range(5)])
    retrieved = Retrieved(ids, -np.sort(generator.random((5, 20), dtype=np.float32)))
    for size in range(5, 61):
        cut = 20
        while len(np.unique(ids[:, :cut])) > size:
            cut -= 1
        assert sorted(RankCutAggregator(size).aggregate(retrieved).ids) == np.unique(ids[:, :cut]).tolist()


def test_quota_by_hand() -> None:
    # 6 rows of 3 queries: two each, in order of query, 2 once.
    ranked = QuotaAggregator(6).aggregate(FOUND)
    assert ranked.ids.tolist() == [4, 2, 7, 9]
    assert ranked.frequencies.tolist() == [1, 3, 1, 1]
    assert QuotaAggregator(4).aggregate(FOUND).ids.tolist() == [4, 2, 7, 9]
    assert QuotaAggregator(2).aggregate(FOUND).ids.tolist() == [4, 2]


def test_round_robin_by_hand() -> None:
    # First turns: 4, 2, 9. Second: the first query's 2 and 9 are taken, the second gives 7, the third 5.
    assert RoundRobinAggregator().aggregate(FOUND).ids.tolist() == [4, 2, 9, 7, 5]
    assert RoundRobinAggregator(4).aggregate(FOUND).ids.tolist() == [4, 2, 9, 7]


def test_mean_score_by_hand() -> None:
    # 4 and 5: 0.9; 2: (0.5 + 0.8 + 0.6) / 3; 9: (0.1 + 0.7) / 2; 7: 0.3.
    ranked = MeanScoreAggregator().aggregate(FOUND)
    assert ranked.ids.tolist() == [4, 5, 2, 9, 7]
    assert ranked.scores.tolist() == pytest.approx([0.9, 0.9, 0.8, 0.7, 0.3])


@pytest.mark.parametrize("name", sorted(set(QueryAggregator.list_available())))
def test_every_aggregator(name: str) -> None:
    """Each row once, with no more queries and no better score than it had; the same again; nothing from nothing."""
    aggregator = QueryAggregator.by_name(name)(size=40)
    generator = np.random.default_rng(1)
    ids = np.stack([generator.choice(90, 12, replace=False) for _ in range(6)])
    ids[3:, 10:] = -1
    scores = np.where(ids >= 0, -np.sort(generator.random((6, 12), dtype=np.float32)), -np.inf).astype(np.float32)
    ranked = aggregator.aggregate(Retrieved(ids, scores))
    assert 0 < len(ranked.ids) <= 40 and len(set(ranked.ids.tolist())) == len(ranked.ids) and min(ranked.ids) >= 0
    for row, frequency, score in zip(*ranked[:3]):
        assert score <= scores[ids == row].max() and 1 <= frequency <= (ids == row).sum()
    assert all(np.array_equal(*pair) for pair in zip(ranked, aggregator.aggregate(Retrieved(ids, scores))))
    nothing = aggregator.aggregate(Retrieved(np.full((2, 3), -1), np.full((2, 3), -np.inf, dtype=np.float32)))
    assert len(nothing.ids) == 0


def test_round_robin_fills_what_quota_leaves_open() -> None:
    """16 queries, 512 rows, 32 each: the same rows where none is found twice, and 512 also where many are."""
    generator = np.random.default_rng(2)
    scores = -np.sort(generator.random((16, 512), dtype=np.float32))
    apart = Retrieved(generator.permutation(16 * 512).reshape(16, 512), scores)
    quota, turns = QuotaAggregator(512).aggregate(apart), RoundRobinAggregator(512).aggregate(apart)
    assert sorted(quota.ids) == sorted(turns.ids) == sorted(apart.ids[:, :32].ravel())
    near = Retrieved(np.stack([generator.permutation(700)[:512] for _ in range(16)]), scores)
    assert len(QuotaAggregator(512).aggregate(near).ids) == len(np.unique(near.ids[:, :32])) < 512
    assert len(RoundRobinAggregator(512).aggregate(near).ids) == 512


def test_mean_score_asks_each_query_for_half_as_many_again() -> None:
    """ReCross's second way by hand: two queries, two rows each, and three neighbours."""
    found = Retrieved(np.array([[1, 2, 3], [2, 4, 1]]), np.array([[-1.0, -2, -3], [-1, -4, -6]], dtype=np.float32))
    # Distances: 1: (1 + 6) / 2; 2: (2 + 1) / 2; 3: 3; 4: 4.
    assert MeanScoreAggregator(4).aggregate(found).ids.tolist() == [2, 3, 1, 4]
