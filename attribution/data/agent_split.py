"""Labelled images, shared out between agents that each know some classes and new tasks of some classes."""

from math import comb
from typing import List, NamedTuple

import numpy as np
from allennlp.common.checks import ConfigurationError


class AgentSplit(NamedTuple):
    """
    As Huang, Qiu and Church (NeurIPS 2021) split CIFAR-100. Images are numbers of rows, in none of two parts; of each
    class there are as many as said. The classes of no two agents, and of no two tasks, are the same, and no task has an
    agent's.
    """

    probe: np.ndarray
    """Images whose labels are not looked at: agents are compared by their features."""
    shots: np.ndarray
    """What the heads of tasks are trained on."""
    test: np.ndarray
    """What they are tested on."""
    pool: np.ndarray
    """All others: what agents are trained on."""
    tasks: List[np.ndarray]
    """The classes of each."""
    agents: List[np.ndarray]


def agent_split(
    labels: np.ndarray,
    tasks: int,
    task_classes: int,
    agents: int,
    agent_classes: int,
    probe: int,
    shots: int,
    test: int,
    seed: int = 0,
) -> AgentSplit:
    """
    # Parameters

    labels : `np.ndarray`
        The class of each image. Shape: (images,)
    probe, shots, test : `int`
        So many images of each class.

    # Raises

    `ConfigurationError` if there are not as many images, classes, or different sets of them.
    """
    if min(tasks, agents, probe, shots, test) < 1 or min(task_classes, agent_classes) < 2:
        raise ConfigurationError("a task, an agent, and an image of each kind, and two classes each, are needed")
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() <= probe + shots + test:
        raise ConfigurationError(
            f"class {classes[counts.argmin()]} has {counts.min()} images; {probe} probe, {shots} shots and {test} test "
            "are asked for, and agents need some, too"
        )
    generator = np.random.default_rng(seed)
    ends = np.cumsum([probe, shots, test])
    # Of each class its images in four parts.
    parts = [np.split(generator.permutation(np.flatnonzero(labels == one)), ends) for one in classes]
    sets = _different_sets(generator, classes, [task_classes] * tasks + [agent_classes] * agents)
    in_probe, in_shots, in_test, in_pool = map(np.concatenate, zip(*parts))
    return AgentSplit(in_probe, in_shots, in_test, in_pool, sets[:tasks], sets[tasks:])


def of_classes(images: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Those of the images whose class is one of these."""
    return images[np.isin(labels[images], classes)]


def _different_sets(generator: np.random.Generator, classes: np.ndarray, sizes: List[int]) -> List[np.ndarray]:
    for size in set(sizes):
        if sizes.count(size) > comb(len(classes), size):
            raise ConfigurationError(
                f"{sizes.count(size)} different sets of {size} classes are asked for; of {len(classes)} there are "
                f"{comb(len(classes), size)}"
            )
    drawn: List[np.ndarray] = []
    for size in sizes:
        one = drawn[0] if drawn else classes[:0]
        while not len(one) or any(np.array_equal(one, other) for other in drawn):
            one = np.sort(generator.choice(classes, size, replace=False))
        drawn.append(one)
    return drawn
