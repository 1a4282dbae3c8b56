from typing import Any, Callable, List

import pytest

from attribution.metrics import NaturalInstructions
from attribution.metrics.natural_instructions import UnicodeWords
from attribution.metrics.normalization import without_punctuation
from tests.metrics.conftest import measure, random_rows, values_of
from tests.metrics.rouge_l_test import slow_rouge_l, words

EXACT, ROUGE = "natural_instructions_exact_match", "natural_instructions_rouge_l"


@pytest.fixture(autouse=True)
def _library() -> None:
    pytest.importorskip("rouge_score")


def test_equals_a_slow_count_by_task_category_and_track() -> None:
    predictions, details = random_rows(seed=12)
    exact: List[float] = []
    rouge: List[float] = []
    for number, (prediction, row) in enumerate(zip(predictions, details)):
        track = "default" if number % 5 else "xlingual"
        row.update(track=track, category=f"category {number % 3}", task=f"task{number % 6}")
        references = row["references"]
        exact.append(any(without_punctuation(prediction) == without_punctuation(text) for text in references))
        split: Callable[[str], List[str]] = lambda text, track=track: (  # type: ignore[misc]  # noqa: E731
            words(text, stemmer=True) if track == "default" else words(text, stemmer=False)
        )
        rouge.append(max(slow_rouge_l(split(prediction), split(text)) for text in references))
    expected = {EXACT: sum(exact) / 200, ROUGE: sum(rouge) / 200}
    for kind in ("track", "category", "task"):
        for name in {row[kind] for row in details}:
            members = [number for number, row in enumerate(details) if row[kind] == name]
            expected[f"{EXACT}/{kind}/{name}"] = sum(exact[number] for number in members) / len(members)
            expected[f"{ROUGE}/{kind}/{name}"] = sum(rouge[number] for number in members) / len(members)
    assert measure(NaturalInstructions(), predictions, details) == pytest.approx(expected)


@pytest.mark.parametrize(
    "prediction, references, track, exact, rouge",
    [
        ("The cat.", ["the  cat"], "default", 1, 1),
        ("cat", ["the cat"], "default", 0, 2 / 3),
        ("running", ["dog", "runs"], "default", 0, 1),
        ("", ["cat"], "default", 0, 0),
        ("хорошо, да", ["да"], "xlingual", 0, 2 / 3),
        ("猫坐着", ["猫站着"], "xlingual", 0, 2 / 3),
    ],
)
def test_by_hand(prediction: str, references: Any, track: str, exact: float, rouge: float) -> None:
    values = values_of(NaturalInstructions(), prediction, references=references, track=track, category=None)
    assert values == pytest.approx(
        {EXACT: exact, ROUGE: rouge, f"{EXACT}/track/{track}": exact, f"{ROUGE}/track/{track}": rouge}
    )


def test_words_of_other_scripts() -> None:
    assert UnicodeWords().tokenize("Él dijo: «हिन्दी» 猫が 42!") == ["él", "dijo", "हिन्दी", "猫", "が", "42"]


def test_the_tokens_of_a_tokenizer(tiny_model: Callable[[str], str]) -> None:
    metric = NaturalInstructions(xlingual_tokenizer=tiny_model("t5"))
    # Both words of the first are unknown to the tokenizer, and so the same.
    values = values_of(metric, "красный cat", references=["синий cat"], track="xlingual")
    assert values[ROUGE] == pytest.approx(1.0)
    assert values_of(metric, "red cat", references=["red cat"])[ROUGE] == pytest.approx(1.0)
