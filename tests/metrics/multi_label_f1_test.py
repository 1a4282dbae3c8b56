import random
from typing import Any, Dict, List, Set, Tuple

import pytest
from sklearn.metrics import f1_score

from attribution.metrics import MultiLabelF1
from tests.metrics.conftest import measure

Labels = Dict[str, Set[str]]


def _rows(asked: Dict[str, List[str]], predicted: Labels, gold: Labels) -> Tuple[List[str], List[Dict[str, Any]]]:
    predictions, details = [], []
    for text, labels in asked.items():
        for label in labels:
            predictions.append(" Yes" if label in predicted[text] else "no")
            details.append({"id": text, "label": label, "references": ["yes" if label in gold[text] else "no"]})
    return predictions, details


def _scikit_learn(predicted: Labels, gold: Labels, labels: Set[str]) -> Dict[str, float]:
    arrays = [[[label in of for label in sorted(labels)] for of in given.values()] for given in (gold, predicted)]
    averages = ("micro", "macro")
    return {f"multi_label_{name}_f1": f1_score(*arrays, average=name, zero_division=0) for name in averages}


@pytest.mark.parametrize("unlabelled_class", [True, False])
def test_equals_scikit_learn(unlabelled_class: bool) -> None:
    source = random.Random(13)
    labels = ["jurisdiction", "arbitration", "law", "never"]
    asked = {f"text {number}": source.sample(labels, source.randint(2, 4)) for number in range(200)}
    gold = {text: {label for label in of if label != "never" and source.random() < 0.3} for text, of in asked.items()}
    predicted = {
        text: {label for label in of if (label in gold[text]) != (source.random() < 0.2) and label != "never"}
        for text, of in asked.items()
    }
    rows = _rows(asked, predicted, gold)
    order = source.sample(range(len(rows[0])), len(rows[0]))  # Rows of a text need not stand together.
    predictions, details = [rows[0][at] for at in order], [rows[1][at] for at in order]
    if unlabelled_class:
        predicted, gold = [{text: of or {"none"} for text, of in given.items()} for given in (predicted, gold)]
    expected = _scikit_learn(predicted, gold, {*labels, "none"} if unlabelled_class else set(labels))
    assert measure(MultiLabelF1(unlabelled_class=unlabelled_class), predictions, details) == pytest.approx(expected)


def test_by_hand() -> None:
    asked = {"one": ["law", "choice"], "two": ["law", "choice"]}
    rows = _rows(asked, predicted={"one": {"law"}, "two": set()}, gold={"one": {"law", "choice"}, "two": set()})
    # law: F1 1; choice: F1 0; the text without labels is found: F1 1. Right 2, predicted 2, gold 3.
    assert measure(MultiLabelF1(), *rows) == pytest.approx(
        {"multi_label_micro_f1": 4 / 5, "multi_label_macro_f1": 2 / 3}
    )
    assert measure(MultiLabelF1(unlabelled_class=False), *rows) == pytest.approx(
        {"multi_label_micro_f1": 2 / 3, "multi_label_macro_f1": 1 / 2}
    )


def test_one_label_alone() -> None:
    asked = {"one": ["law"], "two": ["law"], "three": ["law"]}
    rows = _rows(
        asked, {"one": {"law"}, "two": {"law"}, "three": set()}, {"one": {"law"}, "two": set(), "three": set()}
    )
    assert set(measure(MultiLabelF1(unlabelled_class=False), *rows).values()) == {2 / 3}
    rows = _rows({"one": ["law"]}, {"one": set()}, {"one": set()})
    assert set(measure(MultiLabelF1(unlabelled_class=False), *rows).values()) == {0.0}
