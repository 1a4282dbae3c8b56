"""TIES: trim, elect signs, merge what agrees."""

from typing import List

import numpy as np
import torch
from allennlp.common.checks import ConfigurationError

from attribution.ensembling.delta_folder import DeltaLayout
from attribution.ensembling.delta_merger import DeltaMerger, MergeStep, weighted_sums
from attribution.ensembling.ensemble_weights import EnsembleWeights


@DeltaMerger.register("ties")
class TiesMerger(DeltaMerger):
    """
    TIES (Yadav et al., 2023, https://arxiv.org/abs/2306.01708), tensor by tensor. Of each source the values with the
    smallest magnitude become 0; at each place the sign with the greater weighted sum is elected; and the weighted mean
    is taken of those values that have this sign. With equal weights that is the published formula (its scale 1). Deltas
    are refused that hold weights of the base model, or prompts and prefixes: with zeros in their place the model is not
    as it was. One source with all the weight is kept as it is.

    Registered as a `DeltaMerger` with name "ties".

    # Parameters

    density : `float`, optional (default = `0.2`)
        The share of each tensor's values that are kept.
    """

    def __init__(self, density: float = 0.2) -> None:
        if not 0 < density <= 1:
            raise ConfigurationError(f"ties: density is {density}; above 0 and at most 1 is possible")
        self.density = density

    def steps(self, layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
        if not np.allclose(weights.whole().sum(1), 1) or weights.whole().min() < 0:
            raise ConfigurationError(
                "ties: a mean needs weights that are not negative and sum to 1; learned ones are for linear and "
                "product_space"
            )
        steps = super().steps(layout, weights)
        kind = layout.kind
        if kind.neutral is None or kind.absolute:
            whose = f"weights of the base model ({min(kind.absolute)})" if kind.absolute else "virtual tokens"
            if kind.changes_base:
                whose = "a part of the base model (`init_lora_weights`, `kasa_config`)"
            raise ConfigurationError(
                f"ties: {layout.path}: deltas of the method {kind.method} hold {whose}, and trimming would make zeros "
                "of them; use linear"
            )
        return steps

    def merge(self, tensors: List[torch.Tensor], weights: torch.Tensor, layout: DeltaLayout) -> List[torch.Tensor]:
        neutral = layout.kind.neutral or 0.0
        return [self._merge_one(tensor - neutral, weights) + neutral for tensor in tensors]

    def _merge_one(self, tensors: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        trimmed = self._trim(tensors.reshape(len(tensors), -1))
        positive, negative = trimmed.clamp(min=0), trimmed.clamp(max=0)
        # Shape of each: (targets, values)
        above, below = weighted_sums(positive, weights), weighted_sums(negative, weights)
        weight_above = weighted_sums((trimmed > 0).to(weights), weights)
        weight_below = weighted_sums((trimmed < 0).to(weights), weights)
        elected = above + below >= 0
        sums, counts = torch.where(elected, above, below), torch.where(elected, weight_above, weight_below)
        return torch.where(counts > 0, sums / counts, 0.0).view(-1, *tensors.shape[1:])

    def _trim(self, tensors: torch.Tensor) -> torch.Tensor:
        """Shape: (sources, values)"""
        kept = tensors.abs().topk(int(self.density * tensors.shape[1]), dim=1).indices
        return torch.zeros_like(tensors).scatter(1, kept, tensors.gather(1, kept))
