from collections import Counter
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.agent_split import agent_split, of_classes

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(6) * 10, 20))  # Six classes of twenty.
SETTINGS = {"tasks": 5, "task_classes": 2, "agents": 6, "agent_classes": 3, "probe": 3, "shots": 4, "test": 5}


def test_of_each_class_as_many_images_as_said() -> None:
    split = agent_split(LABELS, **SETTINGS)
    parts = split[:4]
    for part, count in zip(parts, (3, 4, 5, 8)):
        assert Counter(LABELS[part].tolist()) == {label * 10: count for label in range(6)}
    assert sorted(np.concatenate(parts).tolist()) == list(range(120))


def test_no_two_sets_of_classes_are_the_same() -> None:
    split = agent_split(LABELS, **{**SETTINGS, "agent_classes": 2, "agents": 10})  # All fifteen pairs.
    assert [len(each) for each in (split.tasks, split.agents)] == [5, 10]
    assert len({tuple(classes) for classes in [*split.tasks, *split.agents]}) == 15
    assert all(set(classes) <= set(LABELS) for classes in split.tasks)


def test_a_seed_is_a_split() -> None:
    one, again, other = (agent_split(LABELS, **SETTINGS, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(left, right) for left, right in zip(one[:4], again[:4]))
    assert not np.array_equal(one.probe, other.probe)


def test_images_of_classes() -> None:
    labels = np.array([3, 1, 2, 3])
    assert of_classes(np.array([0, 2, 3]), labels, np.array([3, 1])).tolist() == [0, 3]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"probe": 11}, "class 0 has 20 images; 11 probe, 4 shots and 5 test"),
        ({"tasks": 16}, "16 different sets of 2 classes are asked for; of 6 there are 15"),
        ({"agent_classes": 7}, "6 different sets of 7 classes are asked for; of 6 there are 0"),
        ({"shots": 0}, "two classes each, are needed"),
        ({"task_classes": 1}, "two classes each, are needed"),
    ],
)
def test_what_there_is_not(change: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        agent_split(LABELS, **{**SETTINGS, **change})
