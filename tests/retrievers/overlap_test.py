from typing import Any, Callable, Set

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import OverlapFilter, Pool, Retrieved
from attribution.retrievers.overlap import without

EVALUATION = ["The cat sat on the mat, and then it slept.", "Is it raining?", "one two three four five six"]
POOL = [
    "the cat SAT on the mat and then it slept",  # Equal but for case and punctuation.
    "The cat sat on the mat, and then it left.",
    "The dog ran.",
    "is it raining",
    "zero one two three four five six seven",
]


def _slow_similarity(one: str, other: str, ngram: int) -> float:
    def grams(text: str) -> Set[str]:
        words = "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ").split()
        size = min(ngram, len(words))
        return {" ".join(words[start : start + size]) for start in range(len(words) - size + 1)}

    return len(grams(one) & grams(other)) / len(grams(one) | grams(other))


@pytest.fixture
def pool(write_jsonl: Callable[..., str]) -> Pool:
    return Pool(write_jsonl("pool.jsonl", [{"input": text} for text in POOL]))


@pytest.mark.parametrize("near", [0.2, 0.5, 0.66, 1.0])
@pytest.mark.parametrize("ngram", [1, 2, 5])
def test_against_all_pairs(near: float, ngram: int, pool: Pool, write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("test.jsonl", [{"input": text} for text in EVALUATION])
    ids = np.array([[0, 1, 2], [3, 4, -1]])
    overlap = OverlapFilter(path, near=near, ngram=ngram).find(pool, Retrieved(ids, np.zeros(ids.shape)))
    assert overlap.exact == {0, 3}
    best = [max(_slow_similarity(text, other, ngram) for other in EVALUATION) for text in POOL]
    assert overlap.near == {row for row in range(5) if best[row] >= near} - overlap.exact
    # What was not found is not looked at.
    none = OverlapFilter(path).find(pool, Retrieved(np.array([[2, -1]]), np.zeros((1, 2))))
    assert none == (set(), set())


def test_what_follows_moves_up() -> None:
    ids = np.array([[4, 7, 2, 9], [2, 4, -1, -1]])
    scores = np.array([[4, 3, 2, 1], [9, 8, -np.inf, -np.inf]], dtype=np.float32)
    left = without(Retrieved(ids, scores), {4, 2})
    assert left.ids.tolist() == [[7, 9, -1, -1], [-1, -1, -1, -1]]
    assert left.scores.tolist() == [[3, 1, -np.inf, -np.inf], [-np.inf] * 4] and left.scores.dtype == np.float32
    assert without(Retrieved(ids, scores), set()).ids.tolist() == ids.tolist()


@pytest.mark.parametrize("settings", [{"near": 0}, {"near": 1.5}, {"ngram": 0}])
def test_wrong_settings(settings: Any, write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match="0 < near <= 1 and ngram >= 1"):
        OverlapFilter(write_jsonl("test.jsonl", [{"input": "a"}]), **settings)
