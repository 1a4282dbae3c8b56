import random

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.metrics import ClassificationF1
from tests.metrics.conftest import measure, values_of

CLASSES = {"union": ["good", "bad", "so so", "great", ""], "gold": ["good", "bad", "so so"]}


@pytest.mark.parametrize("classes", CLASSES)
def test_equals_a_slow_count(classes: str) -> None:
    source = random.Random(8)
    gold = source.choices(["good", "bad", "so so"], weights=[5, 2, 1], k=200)
    predictions = [label if source.random() < 0.6 else source.choice(["bad ", "great", ""]) for label in gold]
    scores = []
    for label in CLASSES[classes]:
        right = sum(text.strip() == one == label for text, one in zip(predictions, gold))
        precision = right / max(1, sum(text.strip() == label for text in predictions))
        recall = right / max(1, gold.count(label))
        scores.append(2 * precision * recall / (precision + recall) if right else 0.0)
    details = [{"references": [label]} for label in gold]
    values = measure(ClassificationF1(classes), predictions, details)
    assert values == {"classification_f1": pytest.approx(sum(scores) / len(scores))}


@pytest.mark.parametrize("classes, value", [("union", 5 / 9), ("gold", 5 / 6)])
def test_a_prediction_that_is_no_class(classes: str, value: float) -> None:
    """pos: precision 1, recall 1/2. neg: 1. `pos maybe` is a class of F1 0, or none."""
    details = [{"references": [label, "other"]} for label in ("pos", "pos", "neg", "neg")]
    values = measure(ClassificationF1(classes), ["pos", "pos maybe", "neg", "neg"], details)
    assert values == {"classification_f1": pytest.approx(value)}
    assert values_of(ClassificationF1(classes), "", references=["yes"]) == {"classification_f1": 0.0}


def test_classes_that_there_are_not() -> None:
    with pytest.raises(ConfigurationError, match="classification_f1: classes 'all' is none of union, gold"):
        ClassificationF1("all")
