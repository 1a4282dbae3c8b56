"""Which experts the rows of a batch take, and how the modules inside a transformer come to know it."""

from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from allennlp.common.checks import ConfigurationError


class RowGroups:
    """
    The rows of a batch, by the one expert that each takes.

    # Parameters

    chosen : `torch.Tensor`
        The expert of each prompt. Shape: (batch,)
    """

    def __init__(self, chosen: torch.Tensor) -> None:
        self.chosen = chosen
        self.experts: List[int] = chosen.unique().tolist()
        self._prompts = [(chosen == expert).nonzero().squeeze(1) for expert in self.experts]
        self._places = {len(chosen): self._prompts}
        self._together: Dict[int, torch.Tensor] = {}
        self._order: Dict[int, torch.Tensor] = {}

    def sizes(self, rows: int) -> List[int]:
        """How many of `rows` each group has."""
        return [len(prompts) * (rows // len(self.chosen)) for prompts in self._prompts]

    def places(self, rows: int) -> List[torch.Tensor]:
        """Of each group, its places among `rows`: each prompt has as many beams or options, side by side."""
        if rows not in self._places:
            each = torch.arange(rows // len(self.chosen), device=self.chosen.device)
            self._places[rows] = [(prompts.unsqueeze(1) * len(each) + each).flatten() for prompts in self._prompts]
        return self._places[rows]

    def apart(self, states: torch.Tensor) -> Sequence[torch.Tensor]:
        """Of each group, its rows."""
        rows = len(states)
        if rows not in self._together:
            self._together[rows] = torch.cat(self.places(rows))
        return states.index_select(0, self._together[rows]).split(self.sizes(rows))

    def in_order(self, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
        """The rows of all groups, each in its place again."""
        joined = torch.cat(list(pieces))
        if len(joined) not in self._order:
            self._order[len(joined)] = torch.cat(self.places(len(joined))).argsort()
        return joined.index_select(0, self._order[len(joined)])


class LayerRoute(NamedTuple):
    """The routes of one layer."""

    weights: torch.Tensor
    """Shape: (batch, experts)"""
    active: Tuple[int, ...]
    """The experts that some row of the batch needs."""
    groups: Optional[RowGroups]
    """The rows by their experts, where all rows have one alone and no gradient is wanted."""

    def take(self, rows: torch.Tensor) -> "LayerRoute":
        """Those of some rows. What is active stays so: their caches were made with it."""
        return LayerRoute(self.weights[rows], self.active, self.groups and RowGroups(self.groups.chosen[rows]))


def layer_routes(routes: torch.Tensor, dense: bool = False) -> List[LayerRoute]:
    """
    # Parameters

    routes : `torch.Tensor`
        Weights of each layer's experts, for each row of a batch. Shape: (layers, batch, experts)
    dense : `bool`, optional (default = `False`)
        Run all experts, whatever their weights.

    # Raises

    `ConfigurationError` if the weights of a row are not convex.
    """
    detached = routes.detach()
    convex = (detached.sum(-1) - 1).abs().le(1e-3).all() & detached.ge(0).all()
    if not bool(convex):
        raise ConfigurationError(f"routes must be 0 or more and sum to 1; of a row here they are {_worst(detached)}")
    everything = dense or routes.requires_grad
    # Shape: (layers,)
    sparse = (detached == 1).any(-1).all(-1).tolist()
    needed = (detached > 0).any(1).tolist()
    chosen = detached.argmax(-1)
    count = routes.size(-1)
    return [
        LayerRoute(
            routes[layer],
            tuple(range(count)) if everything else tuple(e for e in range(count) if needed[layer][e]),
            RowGroups(chosen[layer]) if sparse[layer] and not everything else None,
        )
        for layer in range(len(routes))
    ]


class RouteHolder:
    """Hands the routes of a batch to the modules that were put into a transformer."""

    def __init__(self) -> None:
        self.layers: Optional[List[LayerRoute]] = None

    def of(self, layer: int) -> LayerRoute:
        if self.layers is None:
            raise ConfigurationError("this transformer has experts, and no routes were set for the batch")
        return self.layers[layer]

    @contextmanager
    def rows(self, rows: torch.Tensor) -> Iterator[None]:
        """Within it the batch is some rows of what it was."""
        whole = self.layers
        self.layers = [route.take(rows) for route in whole or ()]
        try:
            yield
        finally:
            self.layers = whole

    def __deepcopy__(self, memo: Any) -> "RouteHolder":
        memo[id(self)] = copy = RouteHolder()
        return copy


class RoutedModule(torch.nn.Module):
    """
    Base of the modules that hold experts.

    # Parameters

    holder : `RouteHolder`
        Has the routes of the batch.
    layer : `int`
        Which of the routed layers it belongs to.
    """

    def __init__(self, holder: RouteHolder, layer: int) -> None:
        super().__init__()
        self.holder = holder
        self.layer = layer

    @property
    def route(self) -> LayerRoute:
        return self.holder.of(self.layer)

    def expert_tensors(self, expert: int) -> List[torch.nn.Parameter]:
        """What distinguishes an expert; those of all experts in the same order."""
        raise NotImplementedError

    def row_weights(self, states: torch.Tensor, expert: int) -> torch.Tensor:
        """An expert's weight for each row, to multiply `states` with. Shape: (rows, 1, 1, ...)"""
        weights = per_row(self.route.weights[:, expert], len(states))
        return weights.to(states.dtype).view(-1, *[1] * (states.dim() - 1))


def per_row(values: torch.Tensor, rows: int) -> torch.Tensor:
    """Repeats what belongs to each prompt for its beams or options, which stand together."""
    return values if len(values) == rows else values.repeat_interleave(rows // len(values), dim=0)


def _worst(routes: torch.Tensor) -> List[float]:
    rows = routes.flatten(0, 1)
    wrong = (rows.sum(-1) - 1).abs() + rows.clamp(max=0).abs().sum(-1)
    return [round(value, 4) for value in rows[wrong.nan_to_num(torch.inf).argmax()].tolist()]
