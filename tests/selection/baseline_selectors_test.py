import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.selection import Covariance, FixedSelector, HubSelector, RandomSelector, TopKOnTask
from tests.selection.conftest import letters

FOUR = Covariance(list("abcd"), np.eye(4))


def test_random_sets_are_never_the_same_again() -> None:
    rounds = [tuple(RandomSelector(5, number).pick(FOUR, 2)) for number in range(6)]
    assert len({tuple(sorted(picked)) for picked in rounds}) == 6
    assert rounds == [tuple(RandomSelector(5, number).pick(FOUR, 2)) for number in range(6)]
    assert rounds != [tuple(RandomSelector(6, number).pick(FOUR, 2)) for number in range(6)]
    with pytest.raises(ConfigurationError, match="round is 6, from 0; there are 6 sets of 2 among 4"):
        RandomSelector(5, 6).pick(FOUR, 2)
    with pytest.raises(ConfigurationError, match="round is -1"):
        RandomSelector(round=-1)


def test_random_is_uniform() -> None:
    counts = np.bincount([index for seed in range(600) for index in RandomSelector(seed).pick(FOUR, 2)])
    assert counts.min() > 240 and counts.max() < 360
    firsts = np.bincount([RandomSelector(seed).pick(FOUR, 2)[0] for seed in range(600)])
    assert firsts.min() > 100 and firsts.max() < 200


def test_fixed_are_those_named_in_their_order() -> None:
    assert FixedSelector(["c", "a", "d"]).pick(FOUR, 2) == [2, 0]
    with pytest.raises(ConfigurationError, match=r"fixed: k is 3, and 2 are named: \['c', 'a'\]"):
        FixedSelector(["c", "a"]).pick(FOUR, 3)
    with pytest.raises(ConfigurationError, match=r"'x' is not among the 4 members \['a', 'b', 'c', 'd'\]"):
        FixedSelector(["c", "x"]).pick(FOUR, 1)
    with pytest.raises(ConfigurationError, match="fixed: 'c' is named twice"):
        FixedSelector(["c", "a", "c"])


def test_hubs_have_the_highest_sums() -> None:
    values = np.array([[1, 0.1, 0.4], [0.1, 1, 0.2], [0.4, 0.2, 1]])
    assert HubSelector().pick(Covariance(letters(3), values), 3) == [2, 0, 1]
    assert HubSelector().pick(FOUR, 2) == [0, 1]


def test_the_best_on_a_task(tmp_path: Path) -> None:
    scores = {"a": 0.5, "b": 0.7, "c": 0.7, "d": 1, "of another zoo": 2.0}
    assert TopKOnTask(scores).pick(FOUR, 3) == [3, 1, 2]
    assert TopKOnTask(scores, higher_is_better=False).pick(FOUR, 2) == [0, 1]
    assert TopKOnTask(scores).inputs() == []
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(scores))
    from_file = TopKOnTask(str(path))
    assert from_file.pick(FOUR, 3) == [3, 1, 2] and from_file.inputs() == [path]
    with pytest.raises(ConfigurationError, match=r"'b' has no score \(3 such members\)"):
        TopKOnTask({"a": 1.0}).pick(FOUR, 1)


@pytest.mark.parametrize("score", ["0.5", None, True, float("nan"), [1]])
def test_a_score_that_is_no_number(score: Any, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"a": score}))
    with pytest.raises(ConfigurationError, match="the score of 'a' is .*; a number is needed"):
        TopKOnTask(str(path))
