"""A toy mixture: of the tasks that the queries find, one says what the queries' own rows say."""

from typing import Any, Dict, List

import pytest

NOUNS = ["film", "movie", "cat", "dog", "mat", "red", "green", "blue"]


def _row(task: str, text: str, target: str) -> Dict[str, Any]:
    return {"input": text, "target": target, "task": task, "template": "plain"}


def mixture(copies: int = 3) -> List[Dict[str, Any]]:
    rows = []
    for number in range(copies):
        for place, noun in enumerate(NOUNS):
            other = NOUNS[(place + number + 1) % len(NOUNS)]
            rows += [
                _row("queries", f"was the {noun} and {other} good ?", "yes"),
                _row("useful", f"is this a {noun} and that {other} ?", "yes"),
                _row("numbers", f"one {noun} and two {other} ?", "three"),
                _row("colours", f"red {noun} and green {other} ?", "blue"),
                _row("animals", f"the {noun} sat on the {other} ?", "cat"),
            ]
    return rows


@pytest.fixture
def mixture_path(write_jsonl: Any) -> str:
    return write_jsonl("mixture.jsonl", mixture())
