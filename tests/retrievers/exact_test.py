from typing import Any, Callable

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
    pool = Pool(write_jsonl("pool.jsonl", [{"input": text} for text in texts]))
    found = ExactRetriever(NumberEncoder()).retrieve(pool, texts[:9], 20)
    encoder = NumberEncoder()
    scores = encoder.encode(texts[:9]) @ encoder.encode(texts).T
    assert (found.ids == np.argsort(-scores, axis=1, kind="stable")[:, :20]).all()


def test_bad_metric() -> None:
    settings: Any = {"encoder": NumberEncoder(), "metric": "hamming"}
    with pytest.raises(ConfigurationError, match="'hamming' is none of"):
        ExactRetriever(**settings)
