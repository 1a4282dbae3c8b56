import random

import pytest

from attribution.metrics import ClassificationF1
from tests.metrics.conftest import measure, values_of


def test_equals_a_slow_count() -> None:
    source = random.Random(8)
    gold = source.choices(["good", "bad", "so so"], weights=[5, 2, 1], k=200)
    predictions = [label if source.random() < 0.6 else source.choice(["bad ", "great", ""]) for label in gold]
    scores = []
    for label in ["good", "bad", "so so"]:
        right = sum(text.strip() == one == label for text, one in zip(predictions, gold))
        precision = right / max(1, sum(text.strip() == label for text in predictions))
        recall = right / gold.count(label)
        scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    details = [{"references": [label]} for label in gold]
    assert measure(ClassificationF1(), predictions, details) == {"classification_f1": pytest.approx(sum(scores) / 3)}


def test_by_hand() -> None:
    details = [{"references": ["yes", "no"]}, {"references": ["yes"]}, {"references": ["no"]}]
    # yes: precision 1, recall 1/2. no: precision 1, recall 1. `maybe` is no class.
    values = measure(ClassificationF1(), ["yes", "maybe", "no"], details)
    assert values == {"classification_f1": pytest.approx((2 / 3 + 1) / 2)}
    assert values_of(ClassificationF1(), "", references=["yes"]) == {"classification_f1": 0.0}
