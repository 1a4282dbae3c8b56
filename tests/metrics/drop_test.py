import random
import re
import string
from itertools import permutations
from typing import Any, Dict, List, Tuple

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.metrics import Drop
from tests.metrics.conftest import measure, random_text, values_of


def _answer(number: str = "", spans: Tuple[str, ...] = (), date: str = "") -> Dict[str, Any]:
    return {"number": number, "spans": list(spans), "date": dict(zip(("day", "month", "year"), date.split("/")))}


def _slow_words(text: str) -> List[str]:
    words = []
    for word in re.split(r"[\s-]", text.lower()):
        for attempt in (word, "".join(letter for letter in word if letter not in string.punctuation)):
            try:
                word = str(float(attempt))
                break
            except ValueError:
                word = attempt
        if word not in ("a", "an", "the", ""):
            words.append(word)
    return words


def _slow_pair(prediction: List[str], gold: List[str]) -> float:
    numbers = {word for word in gold if re.fullmatch(r"\d+\.\d+", word)}
    if numbers and not numbers.intersection(prediction):
        return 0.0
    shared = len(set(prediction) & set(gold))
    precision = shared / len(set(prediction)) if prediction else 1.0
    recall = shared / len(set(gold)) if gold else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _slow_score(prediction: List[str], gold: List[str]) -> Tuple[float, float]:
    one, other = [_slow_words(text) for text in prediction], [_slow_words(text) for text in gold]
    exact = len(one) == len(other) and {" ".join(words) for words in one} == {" ".join(words) for words in other}
    longest = max(len(one), len(other))
    filled = one + [None] * (longest - len(one))  # type: ignore[list-item]
    best = max(
        sum(_slow_pair(words, of_gold) for words, of_gold in zip(order, other) if words is not None)
        for order in permutations(filled)
    )
    return float(exact), round(best / longest, 2)


def test_equals_a_slow_search_over_all_pairings() -> None:
    source = random.Random(10)
    predictions, details, exact, f1 = [], [], [], []
    for _ in range(200):
        annotators = [[random_text(source) + " dog" for _ in range(source.randint(1, 4))] for _ in range(2)]
        spans = [source.choice(annotators[0]) if source.random() < 0.5 else random_text(source) for _ in range(3)]
        spans = list(reversed(annotators[1])) if source.random() < 0.2 else spans[: source.randint(1, 3)]
        predictions.append(" | ".join(spans))
        details.append({"answers": [_answer(spans=tuple(of_one)) for of_one in annotators]})
        scores = [_slow_score(spans, of_one) for of_one in annotators]
        exact.append(max(score[0] for score in scores))
        f1.append(max(score[1] for score in scores))
    values = measure(Drop(), predictions, details)
    assert values["drop_em"] == pytest.approx(sum(exact) / 200) and 0.1 < values["drop_em"] < 0.6
    assert values["drop_f1"] == pytest.approx(sum(f1) / 200)


@pytest.mark.parametrize(
    "prediction, answers, kind, exact, f1",
    [
        ("12", [_answer(number="12.0")], "number", 1, 1),
        ("1,000 yards", [_answer(number="1000")], "number", 0, 0.67),
        ("12 yards", [_answer(spans=("13 yards",))], "span", 0, 0),
        ("the Big-Bang", [_answer(spans=("Big Bang",))], "span", 1, 1),
        ("7 May 1945", [_answer(date="7/May/1945")], "date", 1, 1),
        ("May 1945", [_answer(date="/May/1945")], "date", 1, 1),
        # All spans count, in any order: the first alone, the published target, is half of the answer.
        ("Brady | Manning", [_answer(spans=("Manning", "Brady"))], "spans", 1, 1),
        ("Manning", [_answer(spans=("Manning", "Brady"))], "spans", 0, 0.5),
        ("Brady", [_answer(spans=("Manning",)), _answer(spans=("Brady",)), _answer()], "span", 1, 1),
        ("", [_answer(number="3")], "number", 0, 0),
    ],
)
def test_by_hand(prediction: str, answers: Any, kind: str, exact: float, f1: float) -> None:
    scores = {"em": exact, "f1": pytest.approx(f1)}
    expected = {f"drop{group}_{name}": value for group in ("", f"_{kind}") for name, value in scores.items()}
    assert values_of(Drop(), prediction, answers=answers) == expected


def test_f1_is_rounded_as_in_the_official_script() -> None:
    # (1/2 + 2/5 + 0 + 0) / 4 = .225, which Python rounds to .23.
    answer = _answer(spans=("red dog", "blue one two", "x", "y"))
    assert values_of(Drop(), "red cat|blue mat|v|w", answers=[answer])["drop_f1"] == 0.22


def test_references_stand_for_answers_of_one_span() -> None:
    assert values_of(Drop(), "the cat", references=["dog", "cat"])["drop_em"] == 1.0


def test_bad_input() -> None:
    with pytest.raises(ConfigurationError, match="separator is empty"):
        Drop(separator="")
    with pytest.raises(ConfigurationError, match="an answer is a number, spans or a date"):
        values_of(Drop(), "cat", answers=[{"text": "cat"}])
