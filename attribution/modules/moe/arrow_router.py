"""Routing by the experts' own directions."""

from typing import Any, Dict, List, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe.bottleneck_experts import BottleneckExperts
from attribution.modules.moe.router import Router


@Router.register("arrow")
class ArrowRouter(Router):
    """
    Arrow (Ostapenko et al., 2024, https://arxiv.org/abs/2405.11157) at the level of tasks: a LoRA expert's direction in
    a layer is the first right singular vector of its B A (of all its linear layers there that read states of the
    model's width), its logit the absolute product of that with the task vector. Nothing is trained. Task vectors are
    then mean hidden states of the same model, say; in the paper each token is routed by itself.

    Registered as a `Router` with name "arrow".

    # Parameters

    scale : `float`, optional (default = `1.0`)
        What logits are multiplied with: task vectors have their own length.

    All others are those of `Router`, which need not be set.
    """

    def __init__(self, layers: int, experts: int, input_size: int, scale: float = 1.0) -> None:
        super().__init__(layers, experts, input_size)
        self.scale = scale
        self._modules_of: List[List[BottleneckExperts]] = []
        self._known: Optional[Tuple[Any, torch.Tensor]] = None

    def attach(self, transformer: torch.nn.Module) -> None:
        by_layer: Dict[int, List[BottleneckExperts]] = {layer: [] for layer in range(self.layers)}
        for module in transformer.modules():
            if isinstance(module, BottleneckExperts) and module.down.size(-1) == self.input_size:
                by_layer[module.layer].append(module)
        if not all(by_layer.values()):
            raise ConfigurationError(
                f"router: arrow: needs LoRA experts of a width of {self.input_size}, the task vectors', in every layer"
            )
        self._modules_of = list(by_layer.values())

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        # Shape: (layers, experts, input size)
        directions = self.directions().to(vectors)
        return self.scale * torch.einsum("bd,led->lbe", vectors, directions).abs()

    def directions(self) -> torch.Tensor:
        """Shape: (layers, experts, input size)"""
        state = [
            (weight._version, weight.data_ptr()) for of in self._modules_of for m in of for weight in (m.down, m.up)
        ]
        if self._known is None or self._known[0] != state:
            found = [[_direction(of, expert) for expert in range(self.experts)] for of in self._modules_of]
            self._known = state, torch.stack([torch.stack(layer) for layer in found])
        return self._known[1]


@torch.no_grad()
def _direction(modules: List[BottleneckExperts], expert: int) -> torch.Tensor:
    """Of the maps x -> x A B side by side. Q R = B^T, and R A^T has the singular values and right vectors of all."""
    rows = [torch.linalg.qr(module.up[expert].T).R @ module.down[expert] for module in modules]
    return torch.linalg.svd(torch.cat(rows), full_matrices=False).Vh[0]
