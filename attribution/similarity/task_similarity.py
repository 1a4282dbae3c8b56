"""How close a source is to a target."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.delta_folder import CONFIG, PICKLE, WEIGHTS, Delta, read_delta
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask

PartScores = Dict[str, float]
"""By the names of the model's parts; by `model` alone where it is compared as a whole."""

REDUCTIONS = ("mean", "sum")


class Source(NamedTuple):
    """What is compared with a target."""

    name: str
    folder: Path
    """Of its delta, unless the measure says otherwise."""


class TaskSimilarity(Registrable):
    """
    Base of the measures. A measure knows its sign, what it needs, what its sources are and at which granularity it can
    compare.

    # Parameters

    granularity : `str`, optional (default = `"model"`)
        `model`: one score; `block`, `layer`: one for each of the model's parts, where the measure has it.
    """

    higher_is_better: bool
    granularities: Sequence[str] = ("model",)
    needs_examples = True
    """And a model to read them."""
    examples_a_batch: Optional[int] = None
    """Of a measure of batches: so many in each, in the order of the file. Otherwise they are as the command likes."""
    own_folders: Optional[str] = None
    """The command's setting that names the targets' own folders, where these are what sources are compared with."""

    allow_pickle = False
    """Whether deltas may be kept as `adapter_model.bin`: the command's setting."""

    all_at_once = False
    """Whether the command asks `compare_all`, once, and not `compare`. Targets are then by default the sources."""

    def __init__(self, granularity: str = "model") -> None:
        check_choice("granularity", granularity, self.granularities)
        self.granularity = granularity

    def files(self, folder: Path) -> List[Path]:
        """What is read of a source's folder, or a target's own: by default a delta."""
        weights = PICKLE if self.allow_pickle and not (folder / WEIGHTS).is_file() else WEIGHTS
        return [folder / name for name in (CONFIG, weights) if (folder / name).is_file()]

    def read(self, folder: Path) -> Delta:
        """
        The delta in a folder.

        # Raises

        `ConfigurationError` if it has no tensors: of nothing there is no measure.
        """
        delta = read_delta(folder, self.allow_pickle)
        if not delta.tensors:
            raise ConfigurationError(f"{folder}: its delta has no tensors; leave it out, or train it again")
        return delta

    def pair_files(self, target: str, source: str) -> List[Path]:
        """What else is read for a target and a source."""
        return []

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> Any:
        """What all comparisons with this target have in common."""
        return None

    @abstractmethod
    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        """
        # Parameters

        model : `ResidentModel`, optional
            There if `needs_examples`. Which delta is in it is not known.
        reference : `Any`
            From `reference` of this target.
        """

    def compare_all(self, folders: Sequence[Path]) -> np.ndarray:
        """All sources, and targets' own folders, with all, if `all_at_once`. Shape: (folders, folders)"""
        raise NotImplementedError


def check_choice(setting: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise ConfigurationError(f"measure.{setting}: {value!r} is none of {', '.join(choices)}")
