"""LoRA merged without loss."""

from typing import List

import torch

from attribution.ensembling.delta_folder import DeltaLayout
from attribution.ensembling.delta_merger import DeltaMerger, MergeStep, weighted_sums
from attribution.ensembling.ensemble_weights import EnsembleWeights
from attribution.ensembling.product_space_merger import check_products, check_ranks, product_steps, with_ranks


@DeltaMerger.register("concatenation")
class ConcatenationMerger(DeltaMerger):
    """
    The weighted sum of the products B A of LoRA, whole: the sources' A below each other, and their B, times their
    weights, side by side (PEFT's `cat`). The rank is the sum of the sources' ranks: 32 sources of rank 16 are one delta
    of rank 512. Other tensors are merged as by `linear`.

    Registered as a `DeltaMerger` with name "concatenation".
    """

    def merged_layout(self, layout: DeltaLayout, sources: int) -> DeltaLayout:
        check_products("concatenation", layout)
        check_ranks("concatenation", layout, "use product_space")
        return with_ranks(layout, lambda rank: rank * sources)

    def steps(self, layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
        return product_steps(layout, weights)

    def merge(self, tensors: List[torch.Tensor], weights: torch.Tensor, layout: DeltaLayout) -> List[torch.Tensor]:
        if len(tensors) == 1:
            return [weighted_sums(tensors[0], weights)]
        first, second = tensors
        # Shapes: (targets, sources * rank, in), (targets, out, sources, rank)
        rows = first.flatten(0, 1).repeat(len(weights), 1, 1)
        columns = second.movedim(0, 1) * weights[:, None, :, None]
        return [rows, columns.flatten(2)]
