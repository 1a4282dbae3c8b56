import random
import re
import string
from collections import Counter
from typing import Any, List

import pytest

from attribution.metrics import Squad
from tests.metrics.conftest import measure, random_rows, values_of


def _slow_words(text: str) -> List[str]:
    kept = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


def _slow_f1(prediction: List[str], gold: List[str]) -> float:
    if not prediction or not gold:
        return float(prediction == gold)
    shared = sum((Counter(prediction) & Counter(gold)).values())
    precision, recall = shared / len(prediction), shared / len(gold)
    return 2 * precision * recall / (precision + recall) if shared else 0.0


def test_equals_a_slow_count_with_questions_without_an_answer() -> None:
    predictions, details = random_rows(seed=9)
    source = random.Random(9)
    for row in details:
        if source.random() < 0.3:
            row["references"] = []
    exact, f1, answerable = [], [], []
    for prediction, row in zip(predictions, details):
        gold = [words for words in map(_slow_words, row["references"]) if words] or [[]]
        answerable.append(gold != [[]])
        exact.append(max(_slow_words(prediction) == words for words in gold))
        f1.append(max(_slow_f1(_slow_words(prediction), words) for words in gold))
    expected = {}
    for name, wanted in (("", {True, False}), ("_has_answer", {True}), ("_no_answer", {False})):
        members = [at for at in range(200) if answerable[at] in wanted]
        expected[f"squad{name}_em"] = pytest.approx(sum(exact[at] for at in members) / len(members))
        expected[f"squad{name}_f1"] = pytest.approx(sum(f1[at] for at in members) / len(members))
    assert measure(Squad(), predictions, details) == expected


@pytest.mark.parametrize(
    "prediction, references, exact, f1",
    [
        ("the Normans", ["Normans", "the Norman people"], 1, 1),
        ("Norman people lived", ["the Norman people"], 0, 0.8),
        ("", [], 1, 1),
        ("", [""], 1, 1),
        ("Unanswerable.", [], 1, 1),
        ("unanswerable", ["unanswerable"], 1, 1),
        ("", ["Normans"], 0, 0),
        ("Normans", [], 0, 0),
    ],
)
def test_by_hand(prediction: str, references: Any, exact: float, f1: float) -> None:
    values = values_of(Squad(no_answer="unanswerable"), prediction, references=references)
    assert (values["squad_em"], values["squad_f1"]) == pytest.approx((exact, f1))
    group = "has" if references not in ([], [""], ["unanswerable"]) else "no"
    assert values[f"squad_{group}_answer_em"] == exact and len(values) == 4
