"""How far the experts are from each other."""

from itertools import combinations

import torch

from attribution.modules.moe.experts import routed_modules


def expert_distance(transformer: torch.nn.Module, experts: int) -> torch.Tensor:
    """
    The L2 distances of two experts' parameters, summed over tensors, mean over the pairs of a layer, summed over layers
    (Ye et al., 2022, https://arxiv.org/abs/2205.12701).
    """
    pairs = list(combinations(range(experts), 2))
    distances = [
        torch.linalg.vector_norm(first - second)
        for module in routed_modules(transformer)
        for one, other in pairs
        for first, second in zip(module.expert_tensors(one), module.expert_tensors(other))
    ]
    if not distances:
        return torch.zeros((), device=next(transformer.parameters()).device)
    return torch.stack(distances).sum() / len(pairs)
