"""LoRA merged as what it adds to the model."""

from math import sqrt
from typing import Callable, List, Optional

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.safetensors_file import TensorType
from attribution.ensembling.delta_folder import DeltaLayout
from attribution.ensembling.delta_merger import DeltaMerger, MergeStep, check_averages, check_method, weighted_sums
from attribution.ensembling.ensemble_weights import EnsembleWeights
from attribution.modules.delta.delta_kind import FACTORS


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

    def merged_layout(self, layout: DeltaLayout, sources: int) -> DeltaLayout:
        check_products("product_space", layout)
        if self.rank is None:
            return layout
        if layout.config.get("rank_pattern") or layout.config.get("alpha_pattern"):
            raise ConfigurationError(
                f"product_space: {layout.path} has other ranks in some layers (`rank_pattern`, `alpha_pattern`); leave "
                "`rank` out"
            )
        check_ranks("product_space", layout, "leave `rank` out")
        return with_ranks(layout, lambda rank: self.rank or rank)

    def steps(self, layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
        return product_steps(layout, weights)

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


def check_products(merger: str, layout: DeltaLayout) -> None:
    """
    # Raises

    `ConfigurationError` if the deltas are not LoRA that adds scale x B A to each of its layers.
    """
    kind = layout.kind
    check_method(layout)
    if kind.method != "LORA" or kind.other_product:
        method = f"LoRA with `{kind.other_product}`" if kind.other_product else kind.method
        raise ConfigurationError(
            f"{merger}: {layout.path}: it merges products B A of LoRA, and these deltas are {method}; use linear"
        )
    lone = [name for name in layout.tensors if any(first in name for first in FACTORS) and name not in kind.products]
    if lone or not kind.products:
        first = f"{lone[0]} has no matching matrix" if lone else "it has no factors `lora_A` and `lora_B`"
        raise ConfigurationError(f"{merger}: {layout.path}: {first}; use linear")


def check_ranks(merger: str, layout: DeltaLayout, instead: str) -> None:
    """
    # Raises

    `ConfigurationError` if such deltas mean another base model when they have another rank.
    """
    if layout.kind.changes_base:
        start = layout.kind.settings["init_lora_weights"]
        raise ConfigurationError(
            f"{merger}: {layout.path} starts by {start!r} (`init_lora_weights`): PEFT takes a part of its rank away "
            f"from the base model, and another for another rank; {instead}"
        )


def product_steps(layout: DeltaLayout, weights: EnsembleWeights) -> List[MergeStep]:
    """The two factors of a product together, all others one by one."""
    check_averages(layout, weights.whole())
    products = layout.kind.products
    seconds = {product.second for product in products.values()}
    return [
        MergeStep((name, products[name].second) if name in products else (name,), weights.whole())
        for name in layout.tensors
        if name not in seconds
    ]


def with_ranks(layout: DeltaLayout, merged: Callable[[int], int]) -> DeltaLayout:
    """
    With other ranks, by what they were, and the same scales.

    # Parameters

    merged : `Callable[[int], int]`
        The same multiple of each rank, or there is only one.
    """
    tensors = dict(layout.tensors)
    for name, product in layout.kind.products.items():
        (rank, inner), (outer, _) = tensors[name].shape, tensors[product.second].shape
        tensors[name] = TensorType(tensors[name].dtype, (merged(rank), inner))
        tensors[product.second] = TensorType(tensors[product.second].dtype, (outer, merged(rank)))
    config = {"r": 8, "lora_alpha": 8, "rank_pattern": {}, "alpha_pattern": {}, **layout.config}  # PEFT's defaults.
    ratio = merged(config["r"]) / config["r"]
    factor = sqrt(ratio) if config.get("use_rslora") else ratio
    changes = {
        "init_lora_weights": True,  # PEFT has ways to start that take even ranks only.
        "r": merged(config["r"]),
        "lora_alpha": _whole(config["lora_alpha"] * factor),
        "rank_pattern": {name: merged(rank) for name, rank in (config["rank_pattern"] or {}).items()},
        "alpha_pattern": {name: _whole(alpha * factor) for name, alpha in (config["alpha_pattern"] or {}).items()},
    }
    return DeltaLayout({**layout.config, **changes}, tensors, layout.metadata, layout.path)


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number
