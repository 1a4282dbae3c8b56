"""LoRA merged as what it adds to the model."""

from math import sqrt
from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.safetensors_file import TensorType
from attribution.ensembling.delta_folder import DeltaLayout
from attribution.ensembling.delta_merger import DeltaMerger, MergeStep, check_sums, weighted_sums
from attribution.ensembling.ensemble_weights import EnsembleWeights

_FACTORS = {".lora_A.": ".lora_B.", ".lora_embedding_A": ".lora_embedding_B"}


@DeltaMerger.register("product_space")
class ProductSpaceMerger(DeltaMerger):
    """
    The weighted sum of the products B A of LoRA, as the best B A of a given rank (by a singular value decomposition,
    whose values are divided evenly between B and A). The sum of the sources' products has the rank of all of them
    together: what does not fit is lost, and more rank keeps more of it. Other tensors (biases, `modules_to_save`) are
    merged as by `linear`.

    Registered as a `DeltaMerger` with name "product_space".

    # Parameters

    rank : `int`, optional
        That of the result; by default the sources' own. `lora_alpha` changes with it, so that the scale stays.
    """

    def __init__(self, rank: Optional[int] = None) -> None:
        if rank is not None and rank < 1:
            raise ConfigurationError(f"product_space: rank is {rank}; at least 1 is needed")
        self.rank = rank

    def merged_layout(self, layout: DeltaLayout) -> DeltaLayout:
        config = layout.config
        if config["peft_type"] != "LORA" or config.get("use_dora"):
            method = "DoRA" if config.get("use_dora") else config["peft_type"]
            raise ConfigurationError(f"product_space merges LoRA, and these deltas are {method}; use linear or ties")
        pairs = _pairs(layout)
        if not pairs:
            raise ConfigurationError("product_space: the deltas have no factors `lora_A` and `lora_B`")
        if self.rank is None:
            return layout
        if config.get("rank_pattern") or config.get("alpha_pattern"):
            raise ConfigurationError(
                "product_space: the deltas have other ranks in some layers (`rank_pattern`, `alpha_pattern`); leave "
                "`rank` out"
            )
        tensors = dict(layout.tensors)
        for first, second in pairs:
            tensors[first] = TensorType(tensors[first].dtype, (self.rank, tensors[first].shape[1]))
            tensors[second] = TensorType(tensors[second].dtype, (tensors[second].shape[0], self.rank))
        return DeltaLayout({**config, **_scaled(config, self.rank)}, tensors, layout.metadata)

    def steps(self, layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
        check_sums(layout, weights.whole())
        pairs = dict(_pairs(layout))
        seconds = set(pairs.values())
        return [
            MergeStep((name, pairs[name]) if name in pairs else (name,), weights.whole())
            for name in layout.tensors
            if name not in seconds
        ]

    def merge(self, tensors: List[torch.Tensor], weights: torch.Tensor, layout: DeltaLayout) -> List[torch.Tensor]:
        if len(tensors) == 1:
            return [weighted_sums(tensors[0], weights)]
        first, second = (tensor.double() for tensor in tensors)
        rank = self.rank or first.shape[1]
        # One row of A, and one column of B, for each source and rank. The sum of the products is B diag(weights) A.
        rows, columns = first.flatten(0, 1), second.movedim(0, 1).flatten(1)
        # Shape of the bases: (out, inner), (in, inner). Of the triangles: (inner, sources * rank)
        out_basis, out_triangle = torch.linalg.qr(columns)
        in_basis, in_triangle = torch.linalg.qr(rows.T)
        scales = weights.double().repeat_interleave(first.shape[1], dim=1)
        # Shape: (targets, inner, inner)
        left, values, right = torch.linalg.svd((out_triangle * scales.unsqueeze(1)) @ in_triangle.T)
        found = min(rank, values.shape[1])
        roots = values[:, :found].sqrt()
        merged_first = torch.zeros(len(weights), rank, first.shape[2], dtype=first.dtype)
        merged_second = torch.zeros(len(weights), second.shape[1], rank, dtype=first.dtype)
        merged_first[:, :found] = roots.unsqueeze(2) * (right[:, :found] @ in_basis.T)
        merged_second[:, :, :found] = (out_basis @ left[:, :, :found]) * roots.unsqueeze(1)
        return [merged_first, merged_second]


def _pairs(layout: DeltaLayout) -> List[Tuple[str, str]]:
    """The names of A and B of each layer."""
    pairs = []
    for name, tensor in layout.tensors.items():
        for first, second in _FACTORS.items():
            if first in name:
                partner = name.replace(first, second)
                if partner not in layout.tensors or len(tensor.shape) != 2 or len(layout.tensors[partner].shape) != 2:
                    raise ConfigurationError(f"product_space: {name} has no matching matrix {partner}")
                pairs.append((name, partner))
    return pairs


def _scaled(config: Dict[str, Any], rank: int) -> Dict[str, Any]:
    """LoRA's scale is alpha / r, or alpha / sqrt(r)."""
    ratio = rank / config["r"]
    alpha = config["lora_alpha"] * (sqrt(ratio) if config.get("use_rslora") else ratio)
    return {"r": rank, "lora_alpha": int(alpha) if alpha == int(alpha) else alpha}
