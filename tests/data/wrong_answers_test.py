from typing import Any

import pytest

from attribution.data.wrong_answers import is_wrong_answer


@pytest.mark.parametrize("mark", [False, 0, 0.0, "False", "false", "FALSE", "0"])
def test_marked_as_wrong(mark: Any) -> None:
    assert is_wrong_answer({"target": "a", "is_correct": mark})


@pytest.mark.parametrize("mark", [True, 1, "True", "true", None, "", float("nan"), []])
def test_not_marked_as_wrong(mark: Any) -> None:
    assert not is_wrong_answer({"target": "a", "is_correct": mark}) and not is_wrong_answer({"target": "a"})
