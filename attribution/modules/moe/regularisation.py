"""How far the experts are from each other."""

from itertools import combinations
from typing import Dict, List

import torch

from attribution.modules.moe.experts import routed_modules
from attribution.modules.moe.routes import RoutedModule


def expert_distance(transformer: torch.nn.Module, experts: int) -> torch.Tensor:
    """The L2 distance of two experts of a layer's parameters, mean over pairs, summed over layers."""
    layers: Dict[int, List[RoutedModule]] = {}
    for module in routed_modules(transformer):
        layers.setdefault(module.layer, []).append(module)
    total = torch.zeros((), device=next(transformer.parameters()).device)
    for modules in layers.values():
        tensors = [[tensor for module in modules for tensor in module.expert_tensors(e)] for e in range(experts)]
        distances = [
            torch.linalg.vector_norm(
                torch.stack([torch.linalg.vector_norm(a - b) for a, b in zip(tensors[one], tensors[other])])
            )
            for one, other in combinations(range(experts), 2)
        ]
        total = total + torch.stack(distances).mean() if distances else total
    return total
