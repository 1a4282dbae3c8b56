"""The cosine of two deltas' parameters."""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, DefaultDict, List, Optional, Tuple

import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta import Delta, read_delta
from attribution.similarity.parts import GRANULARITIES, part_of
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, TaskSimilarity


@TaskSimilarity.register("parameter_cosine")
class ParameterCosine(TaskSimilarity):
    """
    The mean over the tensors of cos(the target's own, the source's), each as one vector (Lv et al., 2023). No model and
    no examples are needed. Published with a softmax temperature of 0.001.

    Registered as a `TaskSimilarity` with name "parameter_cosine".

    # Parameters

    granularity : `str`, optional (default = `"model"`)
        `model`, `block` or `layer`: the mean over the tensors of each.
    """

    higher_is_better = True
    granularities = GRANULARITIES
    needs_examples = False
    needs_target_delta = True

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> Delta:
        assert target.delta is not None
        return read_delta(target.delta)

    def compare(self, target: TargetTask, source: Path, model: Optional[ResidentModel], reference: Any) -> PartScores:
        own, other = reference, read_delta(source)
        _check_alike(own, other, f"{target.delta} and {source}")
        cosines: DefaultDict[str, List[float]] = defaultdict(list)
        for name in sorted(own.tensors, key=_in_numeric_order):
            tensor = own.tensors[name]
            cosine = F.cosine_similarity(tensor.double().flatten(), other.tensors[name].double().flatten(), dim=0)
            cosines[part_of(name, self.granularity)].append(cosine.item())
        return {part: sum(values) / len(values) for part, values in cosines.items()}


def _in_numeric_order(name: str) -> List[Tuple[int, str]]:
    return [(int(text), "") if text.isdigit() else (-1, text) for text in re.split(r"(\d+)", name)]


def _check_alike(one: Delta, other: Delta, folders: str) -> None:
    kinds = [
        {
            "peft_type": delta.config["peft_type"],
            **{name: tuple(tensor.shape) for name, tensor in sorted(delta.tensors.items())},
            "base_fingerprint": delta.base_fingerprint,
        }
        for delta in (one, other)
    ]
    if None in (one.base_fingerprint, other.base_fingerprint):
        for kind in kinds:
            del kind["base_fingerprint"]
    for name in {**kinds[0], **kinds[1]}:
        if kinds[0].get(name) != kinds[1].get(name):
            raise ConfigurationError(
                f"{folders} cannot be compared: {name} is {kinds[0].get(name)} and {kinds[1].get(name)}. Compare "
                "deltas of one method, size and base model"
            )
