"""Measures of two deltas' parameters (Lv et al., 2023, weight ensembling): no model and no examples are needed."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, DefaultDict, Dict, List, Mapping, Optional, Tuple

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta import Delta
from attribution.modules.delta.delta_folder import WEIGHTS
from attribution.modules.delta.delta_kind import Base, acting, base_difference, kind_of, settings_difference
from attribution.similarity.pair_pattern import PairPattern
from attribution.similarity.parts import GRANULARITIES, part_of
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity


@TaskSimilarity.register("parameter_cosine")
class ParameterCosine(TaskSimilarity):
    """
    The mean over the tensors of cos(the target's own, the source's), each as one vector. Published with a softmax
    temperature of 0.001. Parameters that PEFT keeps and no model reads are left out: half of a prompt for an
    encoder-decoder, every second layer of a prefix.

    Registered as a `TaskSimilarity` with name "parameter_cosine".

    # Parameters

    granularity : `str`, optional (default = `"model"`)
        `model`, `block` or `layer`: the mean over the tensors of each.
    """

    higher_is_better = True
    granularities = GRANULARITIES
    needs_examples = False
    own_folders = "target_deltas"

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> Delta:
        assert target.folder is not None
        return self.read(target.folder)

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        folders = f"{target.folder} and {source.folder}"
        cosines = _by_part(reference, self.read(source.folder), _cosine, self.granularity, folders)
        return {part: sum(values) / len(values) for part, values in cosines.items()}


@TaskSimilarity.register("euclidean")
class Euclidean(TaskSimilarity):
    """
    How far a source moves when it is tuned on the target: the sum over the tensors of ||before - after||, Frobenius
    norms. Published after 200 steps, with a softmax temperature of 0.1, to merge the sources as they were before.

    Registered as a `TaskSimilarity` with name "euclidean".

    # Parameters

    tuned : `str`
        Where the source is that was tuned on the target, for all pairs, as `allennlp sweep` leaves them:
        `sweep/tuned/TARGET={target},SOURCE={source}`. The folder of a delta, or of a training with `save_delta`.
    granularity : `str`, optional (default = `"model"`)
        `model`, `block` or `layer`: the sum over the tensors of each.
    """

    higher_is_better = False
    granularities = GRANULARITIES
    needs_examples = False

    def __init__(self, tuned: str, granularity: str = "model") -> None:
        super().__init__(granularity)
        self.tuned = PairPattern("tuned", tuned)

    def pair_files(self, target: str, source: str) -> List[Path]:
        folder = self.tuned.path(target, source)
        self.tuned.check(folder / WEIGHTS, target, source)
        return self.files(folder)

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        folder = self.tuned.path(target.name, source.name)
        before, after = self.read(source.folder), self.read(folder)
        distances = _by_part(before, after, _distance, self.granularity, f"{source.folder} and {folder}")
        return {part: sum(values) for part, values in distances.items()}


def _cosine(one: torch.Tensor, other: torch.Tensor) -> float:
    return F.cosine_similarity(one.flatten(), other.flatten(), dim=0).item()


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return torch.dist(one, other).item()


def _by_part(
    one: Delta, other: Delta, score: Callable[[torch.Tensor, torch.Tensor], float], granularity: str, folders: str
) -> Dict[str, List[float]]:
    """The scores of all tensors, in double precision, by the parts that they belong to."""
    _check_alike(one, other, folders)
    first, second = acting(one, folders), acting(other, folders)
    scores: DefaultDict[str, List[float]] = defaultdict(list)
    for name in sorted(first, key=_in_numeric_order):
        scores[part_of(name, granularity)].append(score(first[name].double(), second[name].double()))
    return scores


def _in_numeric_order(name: str) -> List[Tuple[int, str]]:
    return [(int(text), "") if text.isdigit() else (-1, text) for text in re.split(r"(\d+)", name)]


def _check_alike(one: Delta, other: Delta, folders: str) -> None:
    difference = (
        settings_difference(*(kind_of(delta, folders) for delta in (one, other)))
        or _shape_difference(one.tensors, other.tensors)
        or base_difference(*(Base.of(delta.config, delta.base_fingerprint) for delta in (one, other)))
    )
    if difference:
        raise ConfigurationError(
            f"{folders} cannot be compared: {difference}. Compare deltas of one method, size and base model"
        )


def _shape_difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> str:
    for name in {**one, **other}:
        shapes = [tuple(tensors[name].shape) if name in tensors else None for tensors in (one, other)]
        if shapes[0] != shapes[1]:
            return f"{name} is {shapes[0]} and {shapes[1]}"
    return ""
