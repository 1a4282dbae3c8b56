"""From many deltas and weights of them to one delta for each target."""

from abc import abstractmethod
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.ensembling.delta_folder import DeltaLayout
from attribution.ensembling.ensemble_weights import EnsembleWeights


class MergeStep(NamedTuple):
    """Tensors that are merged together."""

    names: Tuple[str, ...]
    weights: np.ndarray
    """Shape: (targets, sources)"""


class DeltaMerger(Registrable):
    """
    Base of the ways to merge deltas of one layout: in steps, each over all sources and for all targets at once.
    `elementwise` says that a value depends on the sources' values at its own place only: long tensors then come in
    pieces.
    """

    elementwise = False

    def merged_layout(self, layout: DeltaLayout, sources: int) -> DeltaLayout:
        """
        That of what comes out of so many sources.

        # Raises

        `ConfigurationError` if deltas of this kind cannot be merged so.
        """
        return layout

    def steps(self, layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
        """
        Each tensor is in one of them; here each is a step.

        # Raises

        `ConfigurationError` if such deltas cannot be merged with such weights.
        """
        check_averages(layout, weights.whole())
        return [MergeStep((name,), weights.whole()) for name in layout.tensors]

    @abstractmethod
    def merge(self, tensors: List[torch.Tensor], weights: torch.Tensor, layout: DeltaLayout) -> List[torch.Tensor]:
        """
        # Parameters

        tensors : `List[torch.Tensor]`
            Those of one step, in single or double precision. Shape of each: (sources, ...)
        weights : `torch.Tensor`
            Shape: (targets, sources)
        layout : `DeltaLayout`
            That of the sources.

        # Returns

        `List[torch.Tensor]`
            As many. Shape of each: (targets, ...)
        """

    def __call__(
        self, names: Sequence[str], tensors: List[torch.Tensor], weights: torch.Tensor, layout: DeltaLayout
    ) -> List[torch.Tensor]:
        """
        As `merge`, of the tensors of these names. Where one source has all the weight it is that source, with zeros in
        place of more rank; a copy of the base model's weights is merged with no other.

        # Raises

        `ConfigurationError` if copies differ.
        """
        if names[0] in layout.kind.copies:
            [copies] = tensors
            if not bool((copies == copies[0]).all()):
                raise ConfigurationError(
                    f"{layout.path}: {names[0]} is the base model's, and not the same in all deltas: they were "
                    "tuned on different ones"
                )
            return [copies[:1].repeat(len(weights), *[1] * (copies.dim() - 1))]
        merged = self.merge(tensors, weights, layout)
        alone = ((weights != 0).sum(1) == 1) & (weights == 1).any(1)
        for target in alone.nonzero().flatten().tolist():
            own = [tensor[int(weights[target].argmax())] for tensor in tensors]
            rows = [values[target] for values in merged]
            if all(size <= room for tensor, row in zip(own, rows) for size, room in zip(tensor.shape, row.shape)):
                for tensor, row in zip(own, rows):
                    row.zero_()[tuple(map(slice, tensor.shape))] = tensor
        return merged


@DeltaMerger.register("linear")
class LinearMerger(DeltaMerger):
    """
    The weighted sum of each tensor, as in Lv et al. (2023, https://aclanthology.org/2023.acl-short.24). Of LoRA it
    merges the factors A and B, not what they add to the model: that is `product_space`. Of IA3's scales l it is
    1 + sum of w (l - 1): the same where the weights sum to 1, and no change where they are 0.

    Registered as a `DeltaMerger` with name "linear".
    """

    elementwise = True

    def merge(self, tensors: List[torch.Tensor], weights: torch.Tensor, layout: DeltaLayout) -> List[torch.Tensor]:
        neutral = layout.kind.neutral
        if not neutral:
            return [weighted_sums(tensor, weights) for tensor in tensors]
        return [weighted_sums(tensor - neutral, weights) + neutral for tensor in tensors]


@DeltaMerger.register("per_block")
class PerBlockMerger(LinearMerger):
    """
    As `linear`, each part of the model with the weights of its own scores: for scores at the granularity `block` or
    `layer`. A tensor that is in none of the parts gets the mean of their weights.

    Registered as a `DeltaMerger` with name "per_block".
    """

    def steps(self, layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
        if not weights.parts:
            raise ConfigurationError("per_block: the scores are one for the whole model; use linear")
        for part in range(weights.values.shape[2]):
            check_averages(layout, weights.values[:, :, part])
        steps, inside = [], 0
        for name in layout.tensors:
            part = _part_of(name, weights.parts)
            inside += part >= 0
            values = weights.values[:, :, part] if part >= 0 else weights.values.mean(2)
            steps.append(MergeStep((name,), values))
        if not inside:
            raise ConfigurationError(
                f"per_block: no tensor is in one of the {len(weights.parts)} parts ({weights.parts[0]}, ...); the "
                f"first is {next(iter(layout.tensors))}"
            )
        return steps


def check_averages(layout: DeltaLayout, weights: np.ndarray) -> None:
    """
    # Raises

    `ConfigurationError` if the mean of such deltas' parameters is no merge of them; or if weights do not sum to 1 and
    the deltas hold weights of the base model, which their sum would scale. Shape of the weights: (targets, sources)
    """
    check_method(layout)
    kind = layout.kind
    if kind.absolute and not np.allclose(weights.sum(1), 1):
        raise ConfigurationError(
            f"{layout.path}: deltas of the method {kind.method} hold weights of the base model "
            f"({min(kind.absolute)}): the sources' weights must sum to 1, as those of every weighting but learned do"
        )


def check_method(layout: DeltaLayout) -> None:
    """
    # Raises

    `ConfigurationError` if no merger takes deltas of the method.
    """
    if not layout.kind.averages:
        raise ConfigurationError(
            f"{layout.path}: deltas of the method {layout.kind.method} are not merged: the mean of their parameters is "
            "not that of what they do to the model"
        )


def weighted_sums(tensors: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Shape of the tensors: (sources, ...). Of the result: (targets, ...)"""
    return (weights @ tensors.reshape(len(tensors), -1)).view(-1, *tensors.shape[1:])


def _part_of(name: str, parts: Sequence[str]) -> int:
    """The innermost part whose dotted name is in the tensor's; -1 if there is none."""
    found = [(len(part), number) for number, part in enumerate(parts) if f".{part}." in f".{name}."]
    return max(found)[1] if found else -1
