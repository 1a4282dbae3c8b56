import random
from math import sqrt
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.metrics import Matthews, Pearson
from tests.metrics.conftest import measure, values_of


def test_matthews_equals_the_formula() -> None:
    source = random.Random(6)
    gold = source.choices(["yes", "no"], k=200)
    predictions = [label if source.random() < 0.7 else source.choice(["yes", "no "]) for label in gold]
    pairs = [(text.strip(), right) for text, right in zip(predictions, gold)]
    tp, fn, fp, tn = (pairs.count(pair) for pair in [("yes", "yes"), ("no", "yes"), ("yes", "no"), ("no", "no")])
    expected = (tp * tn - fp * fn) / sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    details = [{"references": [label, "other"]} for label in gold]
    assert measure(Matthews(), predictions, details) == {"matthews": pytest.approx(expected)}


@pytest.mark.parametrize(
    "positive, value",
    [
        ("acceptable", 1 / sqrt(3)),  # 2 hits, 1 miss, 1 right rejection.
        (None, 3 / sqrt(60)),  # Of three classes, `so so` is one.
        ("good", 3 / sqrt(60)),  # No row's reference: there are not these two classes.
    ],
)
def test_a_prediction_that_is_no_class(positive: Any, value: float) -> None:
    details = [{"references": [label]} for label in ["acceptable", *["unacceptable"] * 3]]
    predictions = ["acceptable", "acceptable", "so so", "unacceptable"]
    assert measure(Matthews(positive), predictions, details) == {"matthews": pytest.approx(value)}


def test_pearson_equals_numpy_and_words_count_as_3() -> None:
    source = random.Random(7)
    gold = [source.randint(1, 5) for _ in range(200)]
    predictions = [source.choice(["good", "nan", str(star), f" {star + 0.5}"]) for star in gold]
    numbers = [3.0 if text in ("good", "nan") else float(text) for text in predictions]
    details = [{"references": [str(star)]} for star in gold]
    expected = np.corrcoef(numbers, gold)[0, 1]
    assert measure(Pearson(), predictions, details) == {"pearson": pytest.approx(expected)}
    assert measure(Pearson(not_a_number=1.0), predictions, details)["pearson"] != pytest.approx(expected)


def test_where_a_correlation_is_not_defined() -> None:
    for metric, name in ((Matthews, "matthews"), (Pearson, "pearson")):
        assert values_of(metric(), "1", references=["1"]) == {name: 0.0}
        assert measure(metric(), ["1", "1"], [{"references": ["1"]}, {"references": ["2"]}]) == {name: 0.0}


def test_a_reference_that_is_no_number() -> None:
    with pytest.raises(ConfigurationError, match="the reference 'good' is not a number"):
        values_of(Pearson(), "1", references=["good"])
