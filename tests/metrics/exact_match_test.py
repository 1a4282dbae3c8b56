import re
import string
from typing import Any

import pytest

from attribution.metrics import ExactMatch, SoftExactMatch, TextAccuracy
from tests.metrics.conftest import measure, random_rows, values_of


def _slow_normal(text: str) -> str:
    letters = [letter for letter in text.lower() if letter not in string.punctuation]
    return " ".join(word for word in re.split(r"\s+", "".join(letters)) if word not in ("a", "an", "the", ""))


SLOW: Any = {
    ExactMatch: lambda one, other: _slow_normal(one) == _slow_normal(other),
    SoftExactMatch: lambda one, other: (
        _slow_normal(one) != "" != _slow_normal(other)
        and (_slow_normal(other).find(_slow_normal(one)) >= 0 or _slow_normal(one).find(_slow_normal(other)) >= 0)
    ),
    TextAccuracy: lambda one, other: one.strip().casefold() == other.strip().casefold(),
}


@pytest.mark.parametrize("metric", list(SLOW))
def test_equals_a_slow_count(metric: Any) -> None:
    predictions, details = random_rows(seed=1)
    right = sum(
        any(SLOW[metric](prediction, reference) for reference in row["references"])
        for prediction, row in zip(predictions, details)
    )
    assert 20 < right < 180
    assert measure(metric(), predictions, details) == {metric.name: pytest.approx(right / 200)}


@pytest.mark.parametrize(
    "prediction, references, exact, soft, accuracy",
    [
        ("The cat!", ["dog", "cat"], 1, 1, 0),
        ("black cat", ["the cat"], 0, 1, 0),
        ("cat", ["catalogue"], 0, 1, 0),
        (" YES ", ["yes"], 1, 1, 1),
        ("", ["cat"], 0, 0, 0),
        ("cat", [""], 0, 0, 0),
        ("", [""], 1, 0, 1),
        ("the", ["!"], 1, 0, 0),
    ],
)
def test_by_hand(prediction: str, references: Any, exact: int, soft: int, accuracy: int) -> None:
    for metric, value in ((ExactMatch(), exact), (SoftExactMatch(), soft), (TextAccuracy(), accuracy)):
        assert values_of(metric, prediction, references=references) == {metric.name: value}
