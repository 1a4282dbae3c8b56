from pathlib import Path
from typing import Any, Callable, Sequence

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import ExactRetriever, Pool
from tests.retrievers.conftest import NumberEncoder


@pytest.mark.parametrize("metric", ["inner_product", "l2"])
def test_exact_finds_the_nearest_and_of_equals_the_first(metric: str, pool_path: str) -> None:
    found = ExactRetriever(NumberEncoder(), metric).retrieve(Pool(pool_path), ["number 3", "number 17"], 4)
    assert found.ids[0][:2].tolist() == [3, 33] and set(found.ids[0][2:]) <= {2, 4, 32, 34}
    assert found.ids[1][0] == 17 and set(found.ids[1][1:3]) == {16, 18}
    best = 1.0 if metric == "inner_product" else 0.0
    np.testing.assert_allclose(found.scores[:, 0], best, atol=1e-5)


def test_exact_equals_brute_force(write_jsonl: Callable[..., str]) -> None:
    generator = np.random.default_rng(0)
    texts = [str(value) for value in generator.uniform(0, 40, 200)]
    pool = Pool(write_jsonl("pool.jsonl", [{"input": text, "target": "x"} for text in texts]))
    found = ExactRetriever(NumberEncoder()).retrieve(pool, texts[:9], 20)
    encoder = NumberEncoder()
    scores = encoder.encode(texts[:9]) @ encoder.encode(texts).T
    assert (found.ids == np.argsort(-scores, axis=1, kind="stable")[:, :20]).all()


def test_bad_metric() -> None:
    settings: Any = {"encoder": NumberEncoder(), "metric": "hamming"}
    with pytest.raises(ConfigurationError, match="'hamming' is none of"):
        ExactRetriever(**settings)


class Counting(NumberEncoder):
    """Remembers the texts of each call; stops when it is called once too often."""

    def __init__(self, most: int) -> None:
        self.most, self.calls = most, 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        if self.calls > self.most:
            raise KeyboardInterrupt
        return super().encode(texts)


@pytest.mark.parametrize("most", [1, 3, 6, 8])
def test_a_stopped_search_goes_on(most: int, pool_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attribution.retrievers.pool.ROWS_PER_PART", 5)  # 8 parts; the state is saved after 4 and 8.
    queries = ["number 3.3", "number 17.3"]
    whole = ExactRetriever(NumberEncoder()).retrieve(Pool(pool_path), queries, 6)
    with pytest.raises(KeyboardInterrupt):
        ExactRetriever(Counting(most)).retrieve(Pool(pool_path), queries, 6, scratch=tmp_path)
    encoder = Counting(99)
    found = ExactRetriever(encoder).retrieve(Pool(pool_path), queries, 6, scratch=tmp_path)
    assert encoder.calls == 1 + 8 - (4 if most > 4 else 0)
    assert (found.ids == whole.ids).all() and (found.scores == whole.scores).all()
    assert not list(tmp_path.glob("exact*"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.write_bytes(b""),
        lambda state: state.write_bytes(state.read_bytes()[:-9]),
        lambda state: state.write_bytes(state.read_bytes()[:900] + b"?" + state.read_bytes()[901:]),
        lambda state: np.savez(state, ids=np.zeros((2, 5)), scores=np.zeros((2, 5)), done=4, rows_cut=0),
    ],
)
def test_a_damaged_state_is_not_used(
    damage: Any, pool_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("attribution.retrievers.pool.ROWS_PER_PART", 5)
    queries = ["number 3.3", "number 17.3"]
    with pytest.raises(KeyboardInterrupt):
        ExactRetriever(Counting(6)).retrieve(Pool(pool_path), queries, 6, scratch=tmp_path)
    [state] = tmp_path.glob("exact*")
    damage(state)
    found = ExactRetriever(NumberEncoder()).retrieve(Pool(pool_path), queries, 6, scratch=tmp_path)
    whole = ExactRetriever(NumberEncoder()).retrieve(Pool(pool_path), queries, 6)
    assert (found.ids == whole.ids).all() and (found.scores == whole.scores).all()
    assert str(state) in caplog.text


def test_a_vector_that_is_no_number(pool_path: str) -> None:
    class Broken(NumberEncoder):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            return super().encode(texts) * (np.nan if len(texts) > 1 else 1)

    with pytest.raises(ConfigurationError, match="rows 0 to 39 of the pool: a vector is not finite"):
        ExactRetriever(Broken()).retrieve(Pool(pool_path), ["number 3"], 1)
