from typing import Callable

import pytest

from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.prompt_budget import PromptBudget
from attribution.data.prompt_tokenizer import PromptTokenizer

TEXT = "one two three four five six"


@pytest.mark.parametrize("model, special", [("t5", 1), ("bart", 2), ("gpt2", 0)])
def test_special_tokens_count(model: str, special: int, tiny_model: Callable[[str], str]) -> None:
    assert PromptBudget(lambda: PromptTokenizer(tiny_model(model)), 6 + special).fits(TEXT)
    assert not PromptBudget(lambda: PromptTokenizer(tiny_model(model)), 5 + special).fits(TEXT)


def test_a_token_that_the_reader_adds_counts(tiny_model: Callable[[str], str]) -> None:
    reader = P3JsonlReader(tiny_model("bart"), extra_bos=True)
    assert PromptBudget(reader.new_tokenizer, 6 + 3).fits(TEXT)
    assert not PromptBudget(reader.new_tokenizer, 6 + 2).fits(TEXT)


def test_the_longest_part_that_fits_beside_the_rest(tiny_model: Callable[[str], str]) -> None:
    budget = PromptBudget(lambda: PromptTokenizer(tiny_model("t5")), 6)
    assert budget.keep_start(TEXT, lambda start: f"{start} . answer :") == "one two"
    assert budget.keep_end(TEXT, lambda end: f"question : {end} ?") == "five six"
    assert budget.keep_end(TEXT[:13], lambda end: end) == TEXT[:13]
    assert budget.keep_start(TEXT, lambda start: f"a a a a a a {start}") == ""
    assert budget.keep_end("", lambda end: end) == ""
