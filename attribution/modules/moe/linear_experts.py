"""
Copies of a feed-forward network as experts: of the layers into its hidden states, and of the one out of them.

Between the two the hidden states of the experts lie side by side. What stands there, activation, dropout and the
product of a gated network, works on each number by itself, and need not know.
"""

import copy
from typing import List

import torch

from attribution.modules.moe.routes import RoutedModule, RouteHolder


class LinearExperts(RoutedModule):
    """
    Stands where a linear layer stood.

    # Parameters

    linear : `torch.nn.Module`
        The layer. It becomes the first expert; the others are copies.
    experts : `int`
        How many.
    closes : `bool`
        Whether it ends the feed-forward network, and so mixes its experts.
    """

    def __init__(self, holder: RouteHolder, layer: int, linear: torch.nn.Module, experts: int, closes: bool) -> None:
        super().__init__(holder, layer)
        self.experts = torch.nn.ModuleList([linear, *(copy.deepcopy(linear) for _ in range(experts - 1))])
        self.closes = closes

    @property
    def weight(self) -> torch.Tensor:
        """T5 looks at its type."""
        return self.experts[0].weight  # type: ignore[return-value]

    def expert_tensors(self, expert: int) -> List[torch.nn.Parameter]:
        return list(self.experts[expert].parameters())

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        route = self.route
        if len(route.active) == 1:
            return self.experts[route.active[0]](states)
        if route.groups is not None:
            apart = route.groups.apart(states)
            return route.groups.in_order(
                [self.experts[expert](rows) for expert, rows in zip(route.groups.experts, apart)]
            )
        if not self.closes:
            return torch.cat([self.experts[expert](states) for expert in route.active], dim=-1)
        apart = states.chunk(len(route.active), dim=-1)
        return torch.stack(
            [self.row_weights(part, expert) * self.experts[expert](part) for expert, part in zip(route.active, apart)]
        ).sum(0)
