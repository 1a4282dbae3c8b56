"""What a choice by covariance is compared with."""

from math import comb, isfinite
from pathlib import Path
from typing import Dict, List, Set, Tuple, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.selection.checkpoint_selector import CheckpointSelector, first_best
from attribution.selection.covariance import Covariance


@CheckpointSelector.register("random")
class RandomSelector(CheckpointSelector):
    """
    A set that is drawn at random, never one that an earlier round drew.

    Registered as a `CheckpointSelector` with name "random".

    # Parameters

    seed : `int`, optional (default = `0`)
    round : `int`, optional (default = `0`)
        Which draw of this seed, from 0: no two rounds have the same set.
    """

    def __init__(self, seed: int = 0, round: int = 0) -> None:
        if round < 0:
            raise ConfigurationError(f"random: round is {round}; rounds count from 0")
        self.seed = seed
        self.round = round

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        count = comb(len(covariance), k)
        if self.round >= count:
            raise ConfigurationError(
                f"random: round is {self.round}, from 0; there are {count} sets of {k} among {len(covariance)}"
            )
        generator = np.random.default_rng(self.seed)
        drawn: Set[Tuple[int, ...]] = set()
        picked: List[int] = []
        while len(drawn) <= self.round:
            picked = generator.permutation(len(covariance))[:k].tolist()
            drawn.add(tuple(sorted(picked)))
        return picked


@CheckpointSelector.register("fixed")
class FixedSelector(CheckpointSelector):
    """
    The members that are named.

    Registered as a `CheckpointSelector` with name "fixed".

    # Parameters

    names : `List[str]`
        The first k of them, in this order.
    """

    def __init__(self, names: List[str]) -> None:
        again = [name for number, name in enumerate(names) if name in names[:number]]
        if again:
            raise ConfigurationError(f"fixed: {again[0]!r} is named twice")
        self.names = names

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        if k > len(self.names):
            raise ConfigurationError(f"fixed: k is {k}, and {len(self.names)} are named: {self.names}")
        return [covariance.position(name) for name in self.names][:k]


@CheckpointSelector.register("hub")
class HubSelector(CheckpointSelector):
    """
    Those with the highest sums of covariances with all.

    Registered as a `CheckpointSelector` with name "hub".
    """

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        sums = covariance.values.sum(1)
        picked: List[int] = []
        for _ in range(k):
            picked.append(first_best(sums))
            sums[picked[-1]] = -np.inf
        return picked


@CheckpointSelector.register("top_k_on_task")
class TopKOnTask(CheckpointSelector):
    """
    Those that did best on one task, by which all others are then served: the "peek" of Huang, Qiu and Church (NeurIPS
    2021).

    Registered as a `CheckpointSelector` with name "top_k_on_task".

    # Parameters

    scores : `Union[str, Dict[str, float]]`
        Each member's result on the task; or a JSON file with such an object.
    higher_is_better : `bool`, optional (default = `True`)
        False for losses.
    """

    def __init__(self, scores: Union[str, Dict[str, float]], higher_is_better: bool = True) -> None:
        self.file = Path(scores) if isinstance(scores, str) else None
        self.scores = read_json_object(scores)[0] if isinstance(scores, str) else scores
        for name, score in self.scores.items():
            if type(score) not in (int, float) or not isfinite(score):
                raise ConfigurationError(f"top_k_on_task: the score of {name!r} is {score!r}; a number is needed")
        self.higher_is_better = higher_is_better

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        missing = [name for name in covariance.names if name not in self.scores]
        if missing:
            raise ConfigurationError(f"top_k_on_task: {missing[0]!r} has no score ({len(missing)} such members)")
        scores = np.array([self.scores[name] for name in covariance.names], dtype=np.float64)
        return highest(scores if self.higher_is_better else -scores, k)

    def inputs(self) -> List[Path]:
        return [self.file] if self.file else []


def highest(scores: np.ndarray, k: int) -> List[int]:
    """The k rows with the highest scores; of equal ones the first."""
    return np.argsort(-scores, kind="stable")[:k].tolist()
