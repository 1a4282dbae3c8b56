"""
`allennlp compare-agents`: of many small image networks a few for new tasks, chosen in different ways.
"""

from math import comb
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Sequence

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import write_json
from attribution.data.agent_split import AgentSplit, agent_split, of_classes
from attribution.data.labelled_images import image_files, read_images
from attribution.selection import CheckpointSelector, Covariance, MaxMutualInformation, RandomSelector, TopKOnTask
from attribution.selection.image_agents import head_accuracy, train_agent
from attribution.similarity import SimilarityMatrix
from attribution.similarity.linear_cka import linear_cka

ACCURACY = "accuracy.json"
SIMILARITY = "similarity.npz"


class CompareAgents(ArtefactJob):
    """
    The configuration of `allennlp compare-agents`: the vision experiment of Huang, Qiu and Church (NeurIPS 2021),
    made small. Agents, networks with one hidden layer, learn some classes each; the alignment of their features of
    probe images is their covariance; for new tasks of other classes linear heads are trained on the features of k
    agents side by side. Compared are the selector, `peek` (those that are best on the first task alone) and
    `random` sets. The first task is in no mean: peek has seen its test images.

    # Parameters

    images : `str`
        A .npz with `images` (images, ...), numbers, and `labels` (images,), whole numbers; or a folder with a folder of
        images for each class, all of one size.
    selector : `CheckpointSelector`, optional (default = `mmi` from the hub, as published)
    k : `int`, optional (default = `5`)
        Sets of 1 to k agents.
    random_sets : `int`, optional (default = `10`)
    agents, agent_classes, tasks, task_classes : `int`, optional (defaults = `12`, `5`, `6`, `4`)
        How many, and of how many classes each. See `AgentSplit`.
    probe, shots, test : `int`, optional (defaults = `10`, `10`, `50`)
        Images of each class that agents are compared by, and that heads are trained and tested on.
    hidden_size : `int`, optional (default = `32`)
        Of an agent's layer: the width of its features.
    epochs : `int`, optional (default = `30`)
        Of an agent's training.
    seed : `int`, optional (default = `0`)
        Of the split, the agents' start and the random sets.
    """

    def __init__(
        self,
        images: str,
        selector: Optional[CheckpointSelector] = None,
        k: int = 5,
        random_sets: int = 10,
        agents: int = 12,
        agent_classes: int = 5,
        tasks: int = 6,
        task_classes: int = 4,
        probe: int = 10,
        shots: int = 10,
        test: int = 50,
        hidden_size: int = 32,
        epochs: int = 30,
        seed: int = 0,
    ) -> None:
        if min(random_sets, hidden_size, epochs) < 1:
            raise ConfigurationError(
                f"random_sets is {random_sets}, hidden_size {hidden_size}, epochs {epochs}; at least 1 is needed"
            )
        if not 1 <= k <= agents or tasks < 2:
            raise ConfigurationError(
                f"k is {k}, from 1 to the {agents} agents; tasks is {tasks}, at least 2 are needed"
            )
        fewest = min(range(1, k + 1), key=lambda size: comb(agents, size))
        if random_sets > comb(agents, fewest):
            raise ConfigurationError(
                f"random_sets is {random_sets}; of {agents} agents there are {comb(agents, fewest)} sets of {fewest}"
            )
        self.images = images
        self.files = image_files(images)
        self.selector = selector or MaxMutualInformation(hub_start=True)
        self.k = k
        self.random_sets = random_sets
        self.sizes = dict(tasks=tasks, task_classes=task_classes, agents=agents, agent_classes=agent_classes)
        self.counts = dict(probe=probe, shots=shots, test=test)
        self.hidden_size = hidden_size
        self.epochs = epochs
        self.seed = seed

    def inputs(self) -> List[Path]:
        """The images, and what the selector reads."""
        return [*self.files, *self.selector.inputs()]

    def run(self, directory: Path, engine: Engine) -> str:
        """
        Writes `similarity.npz` and `accuracy.json`: of the selector, of peek and of each random set, for 1 to k agents,
        the `agents` and their `accuracy` on each task.
        """
        images, labels = read_images(self.images)
        images = images.reshape(len(images), -1).astype(np.float32)
        split = agent_split(labels, **self.sizes, **self.counts, seed=self.seed)
        zoo = _Zoo(labels, split, self._features(images, labels, split))
        names = [f"agent{number:03d}" for number in range(len(split.agents))]
        covariance = Covariance(names, linear_cka([features[split.probe] for features in zoo.features]))
        SimilarityMatrix(names, names, covariance.values, True, "model").save(directory / SIMILARITY)
        first_task = {name: zoo.accuracy([number], 0) for number, name in enumerate(names)}
        ways: Dict[str, List[CheckpointSelector]] = {
            "selected": [self.selector],
            "peek": [TopKOnTask(first_task)],
            "random": [RandomSelector(self.seed, number) for number in range(self.random_sets)],
        }
        picks = {
            way: [[selector.select(covariance, k).indices for k in range(1, self.k + 1)] for selector in selectors]
            for way, selectors in ways.items()
        }
        accuracy = {way: [[zoo.accuracies(one) for one in each] for each in sets] for way, sets in picks.items()}
        write_json(directory / ACCURACY, {way: {"agents": picks[way], "accuracy": accuracy[way]} for way in ways})
        # Shape of each: (sets, k, tasks) -> (k,)
        means = {way: np.array(values)[:, :, 1:].mean((0, 2)) for way, values in accuracy.items()}
        lines = [f"mean accuracy on {len(split.tasks) - 1} tasks", "  agents " + " ".join(f"{way:>9}" for way in means)]
        for k in range(self.k):
            lines.append(f"  {k + 1:>6} " + " ".join(f"{values[k]:>9.3f}" for values in means.values()))
        return "\n".join(lines)

    def _features(self, images: np.ndarray, labels: np.ndarray, split: AgentSplit) -> List[np.ndarray]:
        """Of each agent, of all images."""
        features = []
        for classes in split.agents:
            rows = of_classes(split.pool, labels, classes)
            agent = train_agent(images[rows], labels[rows], self.hidden_size, self.epochs, self.seed)
            features.append(agent.features(images))
        return features


class _Zoo:
    """What sets of agents come to on tasks, each worked out once."""

    def __init__(self, labels: np.ndarray, split: AgentSplit, features: List[np.ndarray]) -> None:
        self.labels = labels
        self.split = split
        self.features = features
        self._known: Dict[FrozenSet[int], List[float]] = {}

    def accuracies(self, agents: Sequence[int]) -> List[float]:
        """On each task."""
        key = frozenset(agents)
        if key not in self._known:
            self._known[key] = [self.accuracy(sorted(key), task) for task in range(len(self.split.tasks))]
        return self._known[key]

    def accuracy(self, agents: Sequence[int], task: int) -> float:
        classes = self.split.tasks[task]
        train, test = (of_classes(rows, self.labels, classes) for rows in (self.split.shots, self.split.test))
        of_train, of_test = (np.hstack([self.features[agent][rows] for agent in agents]) for rows in (train, test))
        return head_accuracy(of_train, self.labels[train], of_test, self.labels[test])


@Subcommand.register("compare-agents")
class CompareAgentsCommand(ArtefactCommand):
    """
    Compares ways to choose a few of many image networks: `allennlp compare-agents CONFIG -s DIR` writes
    `DIR/accuracy.json` and `DIR/similarity.npz`, and prints the mean accuracies.

    Registered as a `Subcommand` with name "compare-agents".
    """

    job = CompareAgents
    summary = "Choose a few of many image networks for new tasks, in different ways, and compare them."
