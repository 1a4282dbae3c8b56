"""How close a source's delta is to a target."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask

PartScores = Dict[str, float]
"""By the names of the model's parts; by `model` alone where it is compared as a whole."""

REDUCTIONS = ("mean", "sum")


class TaskSimilarity(Registrable):
    """
    Base of the measures. A measure knows its sign, what it needs and at which granularity it can compare.

    # Parameters

    granularity : `str`, optional (default = `"model"`)
        `model`: one score; `block`, `layer`: one for each of the model's parts, where the measure has it.
    """

    higher_is_better: bool
    granularities: Sequence[str] = ("model",)
    needs_examples = True
    """And a model to read them."""
    needs_target_delta = False

    def __init__(self, granularity: str = "model") -> None:
        check_choice("granularity", granularity, self.granularities)
        self.granularity = granularity

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> Any:
        """What all comparisons with this target have in common."""
        return None

    @abstractmethod
    def compare(self, target: TargetTask, source: Path, model: Optional[ResidentModel], reference: Any) -> PartScores:
        """
        # Parameters

        source : `Path`
            The folder of a delta.
        model : `ResidentModel`, optional
            There if `needs_examples`. Which delta is in it is not known.
        reference : `Any`
            From `reference` of this target.
        """


def check_choice(setting: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise ConfigurationError(f"measure.{setting}: {value!r} is none of {', '.join(choices)}")
