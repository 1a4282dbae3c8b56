"""
`allennlp compare-agents`: of many image networks a few for new tasks, chosen in different ways.
"""

import json
from itertools import chain
from math import comb
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.delta_folders import delta_folders
from attribution.common.engines import Engine
from attribution.common.kept import kept_lines
from attribution.common.manifest import MANIFEST, first_difference, write_json
from attribution.common.rows import local_file
from attribution.data.agent_split import AgentSplitter, of_classes
from attribution.data.image_rows import TASKS, ImageRows
from attribution.encoders import Vectors
from attribution.selection import (
    CheckpointSelector,
    Covariance,
    ImageHead,
    MaxMutualInformation,
    RandomSelector,
    TopKOnTask,
    read_covariance,
)
from attribution.similarity import SimilarityMatrix

ACCURACY = "accuracy.json"
SIMILARITY = "similarity.npz"

_HEADS = "heads.jsonl"

Agents = Tuple[int, ...]
"""Their numbers, in order."""


class Trial(NamedTuple):
    """A head on the features of some agents, for one task."""

    agents: Agents
    task: int


class CompareAgents(ArtefactJob):
    """
    The configuration of `allennlp compare-agents`: the vision experiment of Huang, Qiu and Church (NeurIPS 2021).
    Agents (`image_classifier`) know some classes each; the alignment of their features of probe images is their
    covariance; for new tasks of other classes linear heads are trained on the features of k agents side by side.
    Compared are the selector, `peek` (those that are best on the first task alone) and `random` sets. The first task is
    in no mean: peek has seen its test images.

    # Parameters

    images : `str`
        See `read_images`.
    features : `str`
        A pattern of folders of `allennlp embed`, one an agent, with the part `tasks` of the images, as
        `agents/tasks/CHECKPOINT=*`. What stands for the asterisk is the agent's name.
    covariance : `str`
        The `.npz` of the agents' similarity matrix, of the part `probe`.
    split : `AgentSplitter`, optional
        How the images were shared out.
    size : `int`, optional
        See `read_images`.
    selector : `CheckpointSelector`, optional (default = `mmi` from the hub, as published)
    k : `int`, optional (default = `20`)
        Sets of 1 to k agents.
    random_sets : `int`, optional (default = `10`)
    head : `ImageHead`, optional
    seed : `int`, optional (default = `0`)
        Of the random sets.
    """

    goes_on = True

    def __init__(
        self,
        images: str,
        features: str,
        covariance: str,
        split: Optional[AgentSplitter] = None,
        size: Optional[int] = None,
        selector: Optional[CheckpointSelector] = None,
        k: int = 20,
        random_sets: int = 10,
        head: Optional[ImageHead] = None,
        seed: int = 0,
    ) -> None:
        self.rows = ImageRows(images, size, split or AgentSplitter(), TASKS)
        assert self.rows.parts is not None
        self.split = self.rows.parts
        self.folders = delta_folders(features, "features")
        self.covariance = local_file(covariance, "covariance's .npz")
        self.selector = selector or MaxMutualInformation(hub_start=True)
        self.k = k
        self.random_sets = random_sets
        self.head = head or ImageHead()
        self.seed = seed
        agents = len(self.folders)
        if random_sets < 1 or not 1 <= k <= agents or len(self.split.tasks) < 2:
            raise ConfigurationError(
                f"random_sets is {random_sets}, at least 1 is needed; k is {k}, from 1 to the {agents} agents; tasks "
                f"is {len(self.split.tasks)}, at least 2 are needed"
            )
        fewest = min(range(1, k + 1), key=lambda size: comb(agents, size))
        if random_sets > comb(agents, fewest):
            raise ConfigurationError(
                f"random_sets is {random_sets}; of {agents} agents there are {comb(agents, fewest)} sets of {fewest}"
            )
        for folder in self.folders.values():
            difference = first_difference(Vectors(folder).identity["pool"], self.rows.identity)
            if difference:
                raise ConfigurationError(f"{folder}: vectors of other images than these tasks': {difference}")

    def inputs(self) -> List[Path]:
        """The images, the features' manifests, the covariance, and what the selector reads."""
        features = [folder / MANIFEST for folder in self.folders.values()]
        return [*self.rows.files, *features, self.covariance, *self.selector.inputs()]

    def run(self, directory: Path, engine: Engine) -> str:
        """
        Writes `similarity.npz` and `accuracy.json`: of the selector, of peek and of each random set, for 1 to k agents,
        the accuracy on each task.
        """
        names = list(self.folders)
        covariance = _of_members(read_covariance(self.covariance), names, self.covariance)
        heads = _Heads(self, directory / _HEADS, engine)
        singles = heads.of([Trial((number,), 0) for number in range(len(names))])
        first_task = {names[trial.agents[0]]: accuracy for trial, accuracy in singles.items()}
        ways: Dict[str, List[CheckpointSelector]] = {
            "selected": [self.selector],
            "peek": [TopKOnTask(first_task)],
            "random": [RandomSelector(self.seed, number) for number in range(self.random_sets)],
        }
        picks = {
            way: [[selector.select(covariance, k).indices for k in range(1, self.k + 1)] for selector in selectors]
            for way, selectors in ways.items()
        }
        tasks = range(len(self.split.tasks))
        every = chain.from_iterable(chain.from_iterable(picks.values()))
        known = heads.of([Trial(tuple(sorted(agents)), task) for agents in every for task in tasks])
        accuracy = {
            way: [[[known[Trial(tuple(sorted(one)), task)] for task in tasks] for one in each] for each in sets]
            for way, sets in picks.items()
        }
        SimilarityMatrix(names, names, covariance.values, True, "model").save(directory / SIMILARITY)
        write_json(directory / ACCURACY, {way: {"agents": picks[way], "accuracy": accuracy[way]} for way in ways})
        (directory / _HEADS).unlink()
        # Shape of each: (sets, k, tasks) -> (k,)
        means = {way: np.array(values)[:, :, 1:].mean((0, 2)) for way, values in accuracy.items()}
        lines = [f"mean accuracy on {len(tasks) - 1} tasks", "  agents " + " ".join(f"{way:>9}" for way in means)]
        for k in range(self.k):
            lines.append(f"  {k + 1:>6} " + " ".join(f"{values[k]:>9.3f}" for values in means.values()))
        return "\n".join(lines)


def _of_members(covariance: Covariance, names: Sequence[str], path: Path) -> Covariance:
    """The same with the members in this order."""
    if sorted(covariance.names) != sorted(names):
        other = sorted({*covariance.names} ^ {*names})
        raise ConfigurationError(
            f"covariance: {path} is not of the agents that have features; the first other: {other[0]}"
        )
    order = [covariance.position(name) for name in names]
    return Covariance(names, covariance.values[np.ix_(order, order)])


class _Heads:
    """What heads come to, each trained once and kept on the disk."""

    def __init__(self, job: CompareAgents, path: Path, engine: Engine) -> None:
        self._train = _Train(job)
        self._path = path
        self._engine = engine
        count = len(job.folders)
        kept = kept_lines(path, lambda number, line: _is_head(line, count, len(job.split.tasks)))
        self._known = {Trial(tuple(line["agents"]), line["task"]): line["accuracy"] for line in kept}

    def of(self, trials: Iterable[Trial]) -> Dict[Trial, float]:
        """The accuracy of each."""
        wanted = list(dict.fromkeys(trials))
        missing = [trial for trial in wanted if trial not in self._known]
        with self._path.open("a", encoding="utf-8") as file:
            found = self._engine.map(self._train, missing)
            for trial, accuracy in Tqdm.tqdm(zip(missing, found), total=len(missing), desc="training", unit="head"):
                self._known[trial] = accuracy
                file.write(json.dumps({**trial._asdict(), "accuracy": accuracy}) + "\n")
                file.flush()
        return {trial: self._known[trial] for trial in wanted}


def _is_head(line: Any, agents: int, tasks: int) -> bool:
    if not isinstance(line, dict) or line.keys() != {*Trial._fields, "accuracy"}:
        return False
    numbers = line["agents"]
    return (
        isinstance(numbers, list)
        and all(type(number) is int and 0 <= number < agents for number in numbers)
        and type(line["task"]) is int
        and 0 <= line["task"] < tasks
        and isinstance(line["accuracy"], float)
    )


class _Train:
    """Of a trial the accuracy."""

    def __init__(self, job: CompareAgents) -> None:
        self.folders = list(job.folders.values())
        self.numbers = job.rows.numbers
        self.labels = job.rows.all_labels
        self.split = job.split
        self.head = job.head

    def __call__(self, trial: Trial) -> float:
        classes = self.split.tasks[trial.task]
        train, test = (of_classes(rows, self.labels, classes) for rows in (self.split.shots, self.split.test))
        of_train, of_test = (self._features(trial.agents, images) for images in (train, test))
        return self.head.accuracy(of_train, self.labels[train], of_test, self.labels[test])

    def _features(self, agents: Agents, images: np.ndarray) -> np.ndarray:
        """Of these images, the agents' side by side. Shape: (images, width of all)"""
        rows = np.searchsorted(self.numbers, images)
        return np.concatenate([Vectors(self.folders[agent]).take(rows) for agent in agents], axis=1)


@Subcommand.register("compare-agents")
class CompareAgentsCommand(ArtefactCommand):
    """
    Compares ways to choose a few of many image networks: `allennlp compare-agents CONFIG -s DIR` writes
    `DIR/accuracy.json` and `DIR/similarity.npz`, and prints the mean accuracies. If it is stopped at any moment, the
    same command goes on after the last head, and ends with the same bytes.

    Registered as a `Subcommand` with name "compare-agents".
    """

    job = CompareAgents
    summary = "Choose a few of many image networks for new tasks, in different ways, and compare them."
