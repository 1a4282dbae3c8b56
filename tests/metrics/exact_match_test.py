import re
import string
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from attribution.data.dataset_readers import P3JsonlReader
from attribution.metrics import ExactMatch, SoftExactMatch, TextAccuracy
from tests.metrics.conftest import measure, random_rows, values_of


def _slow_normal(text: str) -> str:
    letters = [letter for letter in text.lower() if letter not in string.punctuation]
    words = [word for word in re.split(r"\s+", "".join(letters)) if word]
    return " ".join(word for word in words if word not in ("a", "an", "the"))


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
        ("!?", ["!"], 1, 0, 0),
        ("A", ["A."], 1, 0, 0),
        ("", ["A"], 1, 0, 0),
        ("the", ["A"], 1, 0, 0),
        ("A", ["B"], 0, 0, 0),
        ("a cat", ["A"], 0, 0, 0),
    ],
)
def test_by_hand(prediction: str, references: Any, exact: int, soft: int, accuracy: int) -> None:
    for metric, value in ((ExactMatch(), exact), (SoftExactMatch(), soft), (TextAccuracy(), accuracy)):
        assert values_of(metric, prediction, references=references) == {metric.name: value}


def test_answers_that_are_letters() -> None:
    for prediction, reference, exact, soft in (
        ("A", "A.", 1, 1),
        ("", "A", 0, 0),
        ("the", "A", 0, 0),
        ("A", "B", 0, 0),
        ("A", "Asia", 0, 1),
    ):
        for metric, value in ((ExactMatch(lone_articles=True), exact), (SoftExactMatch(lone_articles=True), soft)):
            assert values_of(metric, prediction, references=[reference]) == {metric.name: value}


def test_real_rows(shared_data: Path) -> None:
    files = sorted(path for path in (shared_data / "p3").glob("*.jsonl.gz") if path.name != "pool.jsonl.gz")
    assert len(files) == 17
    for path in files:
        examples = list(islice(P3JsonlReader("unused").examples(str(path)), 20))
        targets = [example.options[example.answer or 0] for example in examples]
        details = [{"references": [target], **(example.details or {})} for target, example in zip(targets, examples)]
        for metric in (ExactMatch(), SoftExactMatch()):
            # An answer that is only punctuation is the same as others, and part of none.
            words = [bool(_slow_normal(target)) for target in targets]
            expected = sum(words) / 20 if isinstance(metric, SoftExactMatch) else 1.0
            assert measure(metric, [f" {target}." for target in targets], details) == {metric.name: expected}
        first = [_slow_normal(target) == _slow_normal(targets[0]) for target in targets]
        assert measure(ExactMatch(), [targets[0]] * 20, details) == {"exact_match": sum(first) / 20}
        longer = measure(SoftExactMatch(), [f"I say {target}" for target in targets], details)
        assert longer == {"soft_exact_match": sum(words) / 20}
