"""Labelled images, shared out between agents that each know some classes and new tasks of some classes."""

from math import comb
from typing import List, NamedTuple, Optional

import numpy as np
from allennlp.common import FromParams
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
    """What they, and agents, are tested on."""
    pool: np.ndarray
    """All others: what agents are trained on."""
    tasks: List[np.ndarray]
    """The classes of each."""
    agents: List[np.ndarray]


class AgentSplitter(FromParams):
    """
    # Parameters

    agents, agent_classes, tasks, task_classes : `int`, optional (defaults = `100`, `30`, `20`, `30`, as published)
        How many, and of how many classes each.
    probe, shots : `int`, optional (defaults = `10`, `10`)
        So many images of each class.
    test : `int`, optional
        So many images of each class, of the data's own test part, if they have one; by default all of that.
    own_classes : `int`, optional
        Agents know classes among so many of all, and tasks are of the others. By default both are of any.
    seed : `int`, optional (default = `0`)
    """

    def __init__(
        self,
        agents: int = 100,
        agent_classes: int = 30,
        tasks: int = 20,
        task_classes: int = 30,
        probe: int = 10,
        shots: int = 10,
        test: Optional[int] = None,
        own_classes: Optional[int] = None,
        seed: int = 0,
    ) -> None:
        if min(tasks, agents, probe, shots, test or 1) < 1 or min(task_classes, agent_classes) < 2:
            raise ConfigurationError("a task, an agent, and an image of each kind, and two classes each, are needed")
        self.agents = agents
        self.agent_classes = agent_classes
        self.tasks = tasks
        self.task_classes = task_classes
        self.probe = probe
        self.shots = shots
        self.test = test
        self.own_classes = own_classes
        self.seed = seed

    def split(self, labels: np.ndarray, is_test: np.ndarray) -> AgentSplit:
        """
        # Parameters

        labels, is_test : `np.ndarray`
            Of each image its class, and whether it is of the data's own test part. Shapes: (images,)

        # Raises

        `ConfigurationError` if there are not as many images, classes, or different sets of them.
        """
        classes = np.unique(labels)
        generator = np.random.default_rng(self.seed)
        in_test, in_probe, in_shots, in_pool = map(
            np.concatenate, zip(*(self._parts(generator, labels == one, is_test, one) for one in classes))
        )
        for_agents = for_tasks = classes
        if self.own_classes is not None:
            if not 0 < self.own_classes < len(classes):
                raise ConfigurationError(f"own_classes is {self.own_classes}, of {len(classes)}; some but not all")
            for_agents, for_tasks = np.split(generator.permutation(classes), [self.own_classes])
        drawn: List[np.ndarray] = []
        _draw(drawn, generator, for_tasks, self.tasks, self.task_classes)
        _draw(drawn, generator, for_agents, self.agents, self.agent_classes)
        return AgentSplit(in_probe, in_shots, in_test, in_pool, drawn[: self.tasks], drawn[self.tasks :])

    def _parts(
        self, generator: np.random.Generator, of_class: np.ndarray, is_test: np.ndarray, name: int
    ) -> List[np.ndarray]:
        """Of a class its images to test on, to compare agents by, to train heads on, and all others."""
        if not is_test.any():
            if self.test is None:
                raise ConfigurationError("test: the images have no test part of their own; say how many of each class")
            rows = generator.permutation(np.flatnonzero(of_class))
            test, others = rows[: self.test], rows[self.test :]
        else:
            test = generator.permutation(np.flatnonzero(of_class & is_test))[: self.test]
            others = generator.permutation(np.flatnonzero(of_class & ~is_test))
        if len(test) < (self.test or 1) or len(others) <= self.probe + self.shots:
            raise ConfigurationError(
                f"class {name} has {len(test)} images to test on, and {len(others)} others; {self.probe} probe, "
                f"{self.shots} shots and {self.test or 'some'} test are asked for, and agents need some, too"
            )
        return [test, *np.split(others, [self.probe, self.probe + self.shots])]


def of_classes(images: np.ndarray, labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Those of the images whose class is one of these."""
    return images[np.isin(labels[images], classes)]


def _draw(drawn: List[np.ndarray], generator: np.random.Generator, classes: np.ndarray, count: int, size: int) -> None:
    """Adds so many sets of classes, each unlike all before."""
    there = sum(len(one) == size and bool(np.isin(one, classes).all()) for one in drawn)
    if there + count > comb(len(classes), size):
        raise ConfigurationError(
            f"{there + count} different sets of {size} classes are asked for; of {len(classes)} there are "
            f"{comb(len(classes), size)}"
        )
    for _ in range(count):
        one = np.sort(generator.choice(classes, size, replace=False))
        while any(np.array_equal(one, other) for other in drawn):
            one = np.sort(generator.choice(classes, size, replace=False))
        drawn.append(one)
