from typing import Any

import pytest

from attribution.metrics import QaF1
from attribution.metrics.normalization import normalize_answer
from tests.metrics.conftest import measure, random_rows, values_of


def _slow_f1(prediction: str, reference: str) -> float:
    predicted, gold = normalize_answer(prediction).split(), normalize_answer(reference).split()
    left = list(gold)
    shared = 0
    for word in predicted:
        if word in left:
            left.remove(word)
            shared += 1
    if not predicted and not gold:
        return 1.0
    if not shared:
        return 0.0
    precision, recall = shared / len(predicted), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def test_equals_a_slow_count() -> None:
    predictions, details = random_rows(seed=2)
    expected = [max(_slow_f1(text, one) for one in row["references"]) for text, row in zip(predictions, details)]
    assert measure(QaF1(), predictions, details) == {"qa_f1": pytest.approx(sum(expected) / 200)}


@pytest.mark.parametrize(
    "prediction, references, value",
    [
        ("the black cat", ["a cat", "dog"], 2 / 3),
        ("cat cat", ["cat"], 2 / 3),
        ("the", ["a"], 1.0),
        ("", ["cat"], 0.0),
        ("cat", [""], 0.0),
    ],
)
def test_by_hand(prediction: str, references: Any, value: float) -> None:
    assert values_of(QaF1(), prediction, references=references) == {"qa_f1": pytest.approx(value)}


@pytest.mark.parametrize("prediction, reference", [("", "A"), ("the", "a"), ("", "")])
def test_two_texts_without_words(prediction: str, reference: str) -> None:
    """Right in SQuAD 2.0, whose rows may have no answer; wrong in the few-shot gym."""
    for matches in (True, False):
        assert values_of(QaF1(matches), prediction, references=[reference]) == {"qa_f1": float(matches)}
    assert values_of(QaF1(), prediction, references=["cat"]) == {"qa_f1": 0.0}
