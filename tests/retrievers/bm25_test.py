import math
from typing import Any, Callable, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import Bm25Retriever, Pool, bm25

TEXTS = ["The cats sat on the mat", "a dog sat", "Dogs chase cats; cats run.", "on", "the of and"]


@pytest.fixture
def pool(write_jsonl: Callable[..., str]) -> Pool:
    return Pool(write_jsonl("pool.jsonl", [{"input": text, "target": "x"} for text in TEXTS]))


def _stems(text: str) -> List[str]:
    known = {"cats": "cat", "cat": "cat", "dogs": "dog", "dog": "dog", "sat": "sat", "mat": "mat", "run": "run"}
    words = text.lower().replace(";", "").replace(".", "").split()
    return [known.get(word, word) for word in words if word not in ("the", "on", "a", "of", "and")]


def _by_hand(query: str, k1: float, b: float) -> List[float]:
    """Lucene's BM25 (Kamphuis et al., 2020, table 1), word by word."""
    documents = [_stems(text) for text in TEXTS]
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for document in documents:
        score = 0.0
        for word in _stems(query):
            holders = sum(word in other for other in documents)
            times = document.count(word)
            idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
            score += idf * times / (times + k1 * (1 - b + b * len(document) / mean)) if times else 0
        scores.append(score)
    return scores


@pytest.mark.parametrize("k1, b", [(0.9, 0.4), (1.5, 0.75)])
@pytest.mark.parametrize("query", ["a cat sat", "dog dog cats", "the mat"])
def test_scores_by_hand(query: str, k1: float, b: float, pool: Pool) -> None:
    found = Bm25Retriever(k1, b).retrieve(pool, [query], 5)
    wanted = _by_hand(query, k1, b)
    order = sorted((row for row in range(5) if wanted[row] > 0), key=lambda row: -wanted[row])
    assert found.ids[0].tolist() == order + [-1] * (5 - len(order))
    assert found.scores[0, : len(order)] == pytest.approx([wanted[row] for row in order], rel=1e-5)


def test_what_shares_no_word_is_not_found(pool: Pool) -> None:
    assert (Bm25Retriever().retrieve(pool, ["the", "", "zebra"], 2).ids == -1).all()


def test_short_words_and_possessives_are_no_shared_word(write_jsonl: Any) -> None:
    texts = ["anna's hat", "the dog's bone", "U.S. economy", "us and them"]
    pool = Pool(write_jsonl("short.jsonl", [{"input": text, "target": "x"} for text in texts]))
    found = Bm25Retriever().retrieve(pool, ["anna's hat", "it's", "bone", "s"], 4)
    assert found.ids.tolist() == [[0, -1, -1, -1], [-1] * 4, [1, -1, -1, -1], [-1] * 4]
    assert np.isneginf(found.scores[found.ids < 0]).all() and (found.scores[found.ids >= 0] > 0).all()


@pytest.mark.parametrize("length, stored", [(1, 1), (23, 23), (40, 40), (41, 40), (100, 96), (300, 280)])
def test_lengths_as_lucene_keeps_them(length: int, stored: int, write_jsonl: Any) -> None:
    """The row's score, by hand, beside a row without a word, which Lucene does not count, and one of another word."""
    texts = ["cat " + "word " * (length - 1), "?", "dog"]
    pool = Pool(write_jsonl("lengths.jsonl", [{"input": text, "target": "x"} for text in texts]))
    for as_lucene, rows, own in ((True, 2, stored), (False, 3, length)):
        idf = math.log(1 + (rows - 1 + 0.5) / 1.5)
        wanted = idf / (1 + 0.9 * (0.6 + 0.4 * own / ((length + 1) / rows)))
        found = Bm25Retriever(lucene_lengths=as_lucene).retrieve(pool, ["cat"], 1)
        assert found.scores[0, 0] == pytest.approx(wanted, rel=1e-6)


def test_an_index_of_other_words_is_not_used(pool: Pool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    index = str(tmp_path / "index")
    identity = Bm25Retriever().identity()
    Bm25Retriever(index=index).retrieve(pool, ["cat"], 1)
    with pytest.raises(ConfigurationError, match="lucene_lengths is False there and True here"):
        Bm25Retriever(index=index, lucene_lengths=True).retrieve(pool, ["cat"], 1)
    monkeypatch.setattr("attribution.retrievers.words._ANALYSIS", 99)
    with pytest.raises(ConfigurationError, match="words.analysis is 2 there and 99 here; name another directory, or"):
        Bm25Retriever(index=index).retrieve(pool, ["cat"], 1)
    assert Bm25Retriever().identity() != identity


def test_equal_scores_in_pool_order_at_the_cut(write_jsonl: Any) -> None:
    rows = [{"input": f"same words {'here' if number == 7 else 'there'}", "target": "x"} for number in range(9)]
    found = Bm25Retriever().retrieve(Pool(write_jsonl("same.jsonl", rows)), ["same here"], 4)
    assert found.ids.tolist() == [[7, 0, 1, 2]] and (np.diff(found.scores[0, 1:]) == 0).all()


def test_wrong_settings(pool: Pool) -> None:
    with pytest.raises(ConfigurationError, match="k1 is -1"):
        Bm25Retriever(k1=-1)
    with pytest.raises(ConfigurationError, match="klingon"):
        Bm25Retriever(language="klingon").retrieve(pool, ["cat"], 1)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-4]), lambda path: path.unlink()])
def test_a_damaged_index_is_made_again(damage: Any, write_jsonl: Any, tmp_path: Any) -> None:
    path = write_jsonl("many.jsonl", [{"input": f"word{n % 7} same word{n % 3}", "target": "x"} for n in range(50)])
    found = Bm25Retriever(index=str(tmp_path / "index")).retrieve(Pool(path), ["word2 same"], 4)
    damage(next((tmp_path / "index").glob("block_*/data.npy")))
    again = Bm25Retriever(index=str(tmp_path / "index")).retrieve(Pool(path), ["word2 same"], 4)
    assert (found.ids == again.ids).all() and (found.scores == again.scores).all()


def test_the_stored_index_is_used_again(write_jsonl: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"input": f"word{n % 7} same word{n % 3}", "target": "x", "task": "ab"[n % 2]} for n in range(50)]
    path = write_jsonl("many.jsonl", rows)
    queries = ["word2 same", "word6 word1"]
    fresh = [Bm25Retriever().retrieve(Pool(path, excluded), queries, 40) for excluded in ([], ["a"])]
    monkeypatch.setattr("attribution.retrievers.pool.ROWS_PER_PART", 4)
    monkeypatch.setattr("attribution.retrievers.bm25._PARTS_PER_BLOCK", 3)
    index = tmp_path / "index"
    for wanted, excluded in zip(fresh, ([], ["a"])):
        found = Bm25Retriever(index=str(index)).retrieve(Pool(path, excluded), queries, 40)
        assert (found.ids == wanted.ids).all() and (found.scores == wanted.scores).all()
        assert len(list(index.glob("block_*"))) == 5 and not list(index.glob("counts_*"))
        monkeypatch.setattr("attribution.retrievers.bm25._Count.__call__", None)  # Pool words are not read again.
    with pytest.raises(ConfigurationError, match="made from something else: k1 is 0.9 there and 2 here"):
        Bm25Retriever(k1=2, index=str(index)).retrieve(Pool(path), queries, 1)
    other = write_jsonl("other.jsonl", rows[:-1])
    with pytest.raises(ConfigurationError, match="made from something else: pool"):
        Bm25Retriever(index=str(index)).retrieve(Pool(other), queries, 1)


def test_compiled_or_not_the_scores_are_the_same() -> None:
    pytest.importorskip("numba")
    generator = np.random.default_rng(0)
    rows = np.concatenate([np.sort(generator.choice(50, 20, replace=False)) for _ in range(8)]).astype(np.int32)
    weights, ends = generator.random(160, dtype=np.float32), np.arange(0, 161, 20)
    words, times = np.array([7, 0, 3, 4]), np.array([1, 3, 1, 2], dtype=np.float32)
    compiled, plain = np.zeros((2, 50), dtype=np.float32)
    bm25._adder()(compiled, rows, weights, ends, words, times)
    assert bm25._adder() is not bm25._add
    bm25._add(plain, rows, weights, ends, words, times)
    assert (compiled == plain).all() and plain.any()


def test_a_pool_without_a_word(write_jsonl: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [{"input": text, "target": "x"} for text in ("?", "!!", "the a", "of the")]
    assert (Bm25Retriever().retrieve(Pool(write_jsonl("silent.jsonl", silent)), ["cat"], 2).ids == -1).all()
    monkeypatch.setattr("attribution.retrievers.pool.ROWS_PER_PART", 2)
    pool = Pool(write_jsonl("nearly.jsonl", [*silent, {"input": "a cat", "target": "x"}]))
    assert Bm25Retriever().retrieve(pool, ["cat"], 2).ids.tolist() == [[4, -1]]
