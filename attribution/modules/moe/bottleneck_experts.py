"""Small experts beside, or after, a linear layer: LoRA and adapters."""

from typing import Any, List

import torch
import torch.nn.functional as F
from transformers.activations import ACT2FN

from attribution.modules.moe.routes import RoutedModule, RouteHolder, per_row


class BottleneckExperts(RoutedModule):
    """
    x -> scale * sum_e p_e f(x A_e) B_e, of all experts in two products of matrices. B starts at zero.

    # Parameters

    inputs, outputs, size : `int`
        A_e is inputs x size, B_e size x outputs.
    experts : `int`
        How many.
    scale : `float`
        What the output is multiplied with.
    activation : `str`
        f: `linear`, or another name of `transformers`' table of activations.
    dropout : `float`
        On x.
    """

    def __init__(
        self,
        holder: RouteHolder,
        layer: int,
        inputs: int,
        outputs: int,
        size: int,
        experts: int,
        scale: float,
        activation: str,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(holder, layer)
        self.down = torch.nn.Parameter(torch.empty(experts, size, inputs).uniform_(-(inputs**-0.5), inputs**-0.5))
        self.up = torch.nn.Parameter(torch.zeros(experts, size, outputs))
        self.scale = scale
        self.activation = ACT2FN[activation]
        self.dropout = torch.nn.Dropout(dropout)

    def expert_tensors(self, expert: int) -> List[Any]:
        return [self.down[expert], self.up[expert]]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        # Shape: (rows, length, experts x size)
        hidden = self.activation(F.linear(self.dropout(states), self.down.flatten(0, 1)))
        weights = per_row(self.route.weights, len(states)).to(hidden.dtype) * self.scale
        hidden = hidden * weights.repeat_interleave(self.down.size(1), dim=1).unsqueeze(1)
        return hidden @ self.up.flatten(0, 1)


def add_beside(module: Any, arguments: Any, output: torch.Tensor) -> torch.Tensor:
    """A forward hook: LoRA."""
    return output + module.expert(arguments[0])


def add_after(module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
    """A forward hook: adapters."""
    return output + module.expert(output)
