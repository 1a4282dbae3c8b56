from collections import Counter
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.agent_split import AgentSplit, AgentSplitter, of_classes

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(6) * 10, 20))  # Six classes of twenty.
NO_TEST = np.zeros(120, dtype=bool)
SETTINGS = {"tasks": 5, "task_classes": 2, "agents": 6, "agent_classes": 3, "probe": 3, "shots": 4, "test": 5}


def _split(is_test: np.ndarray = NO_TEST, **changes: Any) -> AgentSplit:
    return AgentSplitter(**{**SETTINGS, **changes}).split(LABELS, is_test)


def test_of_each_class_as_many_images_as_said() -> None:
    split = _split()
    parts = split[:4]
    for part, count in zip(parts, (3, 4, 5, 8)):
        assert Counter(LABELS[part].tolist()) == {label * 10: count for label in range(6)}
    assert sorted(np.concatenate(parts).tolist()) == list(range(120))


@pytest.mark.parametrize("test, count", [(None, 6), (4, 4)])
def test_the_datas_own_test_part(test: Any, count: int) -> None:
    """The first six of each class are such: all of them, or as many as said, are tested on, and no other is."""
    is_test = np.array([np.sum(LABELS[:number] == LABELS[number]) < 6 for number in range(120)])
    split = _split(is_test, test=test)
    assert is_test[split.test].all() and Counter(LABELS[split.test].tolist()) == dict.fromkeys(range(0, 60, 10), count)
    others = np.concatenate([split.probe, split.shots, split.pool])
    assert sorted(others.tolist()) == np.flatnonzero(~is_test).tolist() and len(split.pool) == 6 * 7


def test_no_two_sets_of_classes_are_the_same() -> None:
    split = _split(agent_classes=2, agents=10)  # All fifteen pairs.
    assert [len(each) for each in (split.tasks, split.agents)] == [5, 10]
    assert len({tuple(classes) for classes in [*split.tasks, *split.agents]}) == 15
    assert all(set(classes) <= set(LABELS) for classes in split.tasks)


def test_agents_may_have_classes_of_their_own() -> None:
    for seed in range(5):
        split = _split(agents=4, tasks=1, own_classes=4, seed=seed)
        of_agents, of_tasks = (set(np.concatenate(sets).tolist()) for sets in (split.agents, split.tasks))
        assert len(of_agents) == 4 and len(of_tasks) == 2 and not of_agents & of_tasks


def test_a_seed_is_a_split() -> None:
    one, again, other = (_split(seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(left, right) for left, right in zip(one[:4], again[:4]))
    assert not np.array_equal(one.probe, other.probe)


def test_the_published_sizes() -> None:
    labels = np.tile(np.arange(100), 600)
    is_test = np.arange(60_000) >= 50_000
    split = AgentSplitter().split(labels, is_test)
    assert [len(part) for part in split[:4]] == [1000, 1000, 10_000, 48_000]
    assert [len(split.tasks), len(split.agents)] == [20, 100]
    assert [len(of_classes(part, labels, split.agents[0])) for part in (split.pool, split.test)] == [14_400, 3000]


def test_images_of_classes() -> None:
    labels = np.array([3, 1, 2, 3])
    assert of_classes(np.array([0, 2, 3]), labels, np.array([3, 1])).tolist() == [0, 3]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"probe": 11}, "class 0 has 5 images to test on, and 15 others; 11 probe, 4 shots and 5 test"),
        ({"test": 21}, "class 0 has 20 images to test on, and 0 others"),
        ({"test": None}, "test: the images have no test part of their own"),
        ({"tasks": 16}, "16 different sets of 2 classes are asked for; of 6 there are 15"),
        ({"agent_classes": 2, "agents": 11}, "16 different sets of 2 classes are asked for; of 6 there are 15"),
        ({"agent_classes": 7}, "6 different sets of 7 classes are asked for; of 6 there are 0"),
        ({"own_classes": 6}, "own_classes is 6, of 6; some but not all"),
        ({"own_classes": 5}, "5 different sets of 2 classes are asked for; of 1 there are 0"),
        ({"shots": 0}, "two classes each, are needed"),
        ({"task_classes": 1}, "two classes each, are needed"),
    ],
)
def test_what_there_is_not(change: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _split(**change)
