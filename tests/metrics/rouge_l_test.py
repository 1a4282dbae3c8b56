import re
import sys
from functools import lru_cache
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError
from nltk.stem.porter import PorterStemmer

from attribution.metrics import NaturalInstructions, RougeL
from tests.metrics.conftest import measure, random_rows, values_of


def slow_rouge_l(prediction: List[str], reference: List[str]) -> float:
    @lru_cache(None)
    def longest(one: int, other: int) -> int:
        if one == len(prediction) or other == len(reference):
            return 0
        if prediction[one] == reference[other]:
            return 1 + longest(one + 1, other + 1)
        return max(longest(one + 1, other), longest(one, other + 1))

    shared = longest(0, 0)
    return 2 * shared / (len(prediction) + len(reference)) if shared else 0.0


def words(text: str, stemmer: bool) -> List[str]:
    stem = PorterStemmer().stem
    found = re.findall("[a-z0-9]+", text.lower())
    return [stem(word) if stemmer and len(word) > 3 else word for word in found]


@pytest.mark.parametrize("stemmer", [False, True])
def test_equals_a_slow_search(stemmer: bool) -> None:
    pytest.importorskip("rouge_score")
    predictions, details = random_rows(seed=3)
    expected = [
        max(slow_rouge_l(words(prediction, stemmer), words(reference, stemmer)) for reference in row["references"])
        for prediction, row in zip(predictions, details)
    ]
    assert measure(RougeL(stemmer), predictions, details) == {"rouge_l": pytest.approx(sum(expected) / 200)}


@pytest.mark.parametrize(
    "prediction, references, value",
    [
        ("a cat sat", ["the cat has sat", "dog"], 4 / 7),
        ("sat cat", ["cat sat"], 1 / 2),
        ("", ["cat"], 0.0),
        ("кот", ["кот"], 0.0),
    ],
)
def test_by_hand(prediction: str, references: Any, value: float) -> None:
    pytest.importorskip("rouge_score")
    assert values_of(RougeL(), prediction, references=references) == {"rouge_l": pytest.approx(value)}


@pytest.mark.parametrize("metric", [RougeL, NaturalInstructions])
def test_without_the_library(metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(ConfigurationError, match=r"rouge-score is not installed; pip install .*\[metrics\]"):
        metric()
