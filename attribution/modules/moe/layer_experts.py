"""
Copies of a whole transformer layer as experts (Ye et al., 2022, https://arxiv.org/abs/2205.12701).

A layer's entry of the cache holds the keys and values of all its experts. Each expert in turn finds its own part there,
as if it were alone: in a mixture a share of the heads; where each row has one expert, the rows of that expert.
"""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, List, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from transformers import EncoderDecoderCache
from transformers.cache_utils import DynamicLayer

from attribution.modules.moe.routes import LayerRoute, RoutedModule, RouteHolder, RowGroups

Part = Callable[[torch.Tensor], torch.Tensor]
Join = Callable[[List[Any]], Any]


class LayerExperts(RoutedModule):
    """
    Stands where a layer stood.

    # Parameters

    block : `torch.nn.Module`
        The layer. It becomes the first expert; the others are copies.
    experts : `int`
        How many.
    shared : `Sequence[str]`, optional
        Names of submodules that all experts share: T5's relative positions.
    """

    def __init__(
        self, holder: RouteHolder, layer: int, block: torch.nn.Module, experts: int, shared: Sequence[str] = ()
    ) -> None:
        super().__init__(holder, layer)
        kept = [module for name, module in block.named_modules() if name.rpartition(".")[2] in shared]
        one = [*kept, *(module.config for module in block.modules() if hasattr(module, "config"))]
        copies = [copy.deepcopy(block, {id(part): part for part in one}) for _ in range(experts - 1)]
        self.experts = torch.nn.ModuleList([block, *copies])
        self._shared = {id(weight) for module in kept for weight in module.parameters()}
        numbers: List[Any] = [getattr(module, "layer_idx", None) for module in block.modules()]
        self._cache_layer = max((number for number in numbers if number is not None), default=0)

    def expert_tensors(self, expert: int) -> List[torch.nn.Parameter]:
        return [weight for weight in self.experts[expert].parameters() if id(weight) not in self._shared]

    def forward(self, states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        route = self.route
        if len(route.active) == 1:
            return self.experts[route.active[0]](states, *args, **kwargs)
        if route.groups is not None and len(route.groups.experts) == 1:
            return self.experts[route.groups.experts[0]](states, *args, **kwargs)
        entries = _CacheEntries(kwargs.get("past_key_values"), self._cache_layer)
        if route.groups is None:
            return self._mixture(route, entries, states, *args, **kwargs)
        return self._row_by_row(route.groups, entries, states, *args, **kwargs)

    def _mixture(self, route: LayerRoute, entries: "_CacheEntries", *args: Any, **kwargs: Any) -> Any:
        """All active experts on all rows. What they return beside states (position biases) is the same for all."""
        mixed: Any = None
        for place, expert in enumerate(route.active):
            entries.show(partial(_share, place, len(route.active)))
            output = self.experts[expert](*args, **kwargs)
            entries.keep()
            states = output if isinstance(output, torch.Tensor) else output[0]
            weighted = self.row_weights(states, expert) * states
            mixed = weighted if mixed is None else mixed + weighted
        entries.join(_side_by_side)
        return mixed if isinstance(output, torch.Tensor) else (mixed, *output[1:])

    def _row_by_row(
        self, groups: RowGroups, entries: "_CacheEntries", states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> Any:
        """Each expert on its own rows."""
        rows = groups.apart(states)
        beside = [_by_group(value, groups, entries.cross_is_known) for value in (*args, *kwargs.values())]
        found = []
        for place, expert in enumerate(groups.experts):
            values = [value[place] for value in beside]
            entries.show(_RowsOf(groups, place))
            found.append(
                self.experts[expert](rows[place], *values[: len(args)], **dict(zip(kwargs, values[len(args) :])))
            )
            entries.keep()
        entries.join(partial(_Apart, groups))
        if isinstance(found[0], torch.Tensor):
            return groups.in_order(found)
        return tuple(_in_order(pieces, groups) for pieces in zip(*found))


@dataclass(frozen=True)
class _RowsOf:
    """
    The rows of a group, out of keys or values.

    # Parameters

    groups : `RowGroups`
    place : `int`
        Which of the groups.
    """

    groups: RowGroups
    place: int

    def __call__(self, whole: torch.Tensor) -> torch.Tensor:
        return whole.index_select(0, self.groups.places(len(whole))[self.place])


class _CacheEntries:
    """
    One layer's entries in the cache of a decoder: of its own keys and values, and of those of the encoder's states.

    # Parameters

    cache : `Any`
        A cache of `transformers`, or None.
    number : `int`
        The layer's.
    """

    def __init__(self, cache: Any, number: int) -> None:
        self.number = number
        self.entries: List[_CacheEntry] = []
        self.is_updated: Dict[int, bool] = {}
        self.cross_is_known = False
        if isinstance(cache, EncoderDecoderCache):
            self.is_updated = cache.is_updated
            self.cross_is_known = bool(cache.is_updated.get(self.number))
            self.entries = [
                _CacheEntry(cache.self_attention_cache.layers, self.number, grows=True),
                _CacheEntry(cache.cross_attention_cache.layers, self.number, grows=not self.cross_is_known),
            ]

    def show(self, part: Part) -> None:
        """Before an expert's turn: makes the cache that expert's."""
        self.is_updated[self.number] = self.cross_is_known
        for entry in self.entries:
            entry.show(part)

    def keep(self) -> None:
        """After its turn."""
        for entry in self.entries:
            entry.keep()

    def join(self, join: Join) -> None:
        """After the turns of all experts."""
        for entry in self.entries:
            entry.join(join)


class _CacheEntry:
    """
    # Parameters

    layers : `List[Any]`
        Of the cache.
    number : `int`
        Which of them.
    grows : `bool`
        Whether experts add to it.
    """

    def __init__(self, layers: List[Any], number: int, grows: bool) -> None:
        layers.extend(DynamicLayer() for _ in range(number + 1 - len(layers)))
        if type(layers[number]) not in (DynamicLayer, _Apart):
            raise ConfigurationError(
                f"experts need a cache that grows, not a {type(layers[number]).__name__}; leave `cache_implementation` "
                "out of `generation`"
            )
        self.layers = layers
        self.number = number
        self.grows = grows
        self.whole = layers[number]
        self.parts: List[Any] = []

    def show(self, part: Part) -> None:
        self.layers[self.number] = self._part(part)

    def keep(self) -> None:
        self.parts.append(self.layers[self.number])

    def join(self, join: Join) -> None:
        self.layers[self.number] = self.whole
        if self.grows and all(part.get_seq_length() for part in self.parts):
            self.layers[self.number] = join(self.parts)

    def _part(self, part: Part) -> Any:
        if not self.whole.get_seq_length():
            return DynamicLayer()
        if isinstance(self.whole, _Apart) and isinstance(part, _RowsOf) and self.whole.has_parts_of(part.groups):
            return self.whole.parts[part.place]
        return _filled(part(self.whole.keys), part(self.whole.values))


class _Apart(DynamicLayer):
    """
    An entry as the parts of experts that have rows each, until somebody (a beam search) asks for the whole: rows are
    not copied in each step.

    # Parameters

    parts : `List[Any]`
        An entry for each group.
    """

    def __init__(self, groups: RowGroups, parts: List[Any]) -> None:
        super().__init__()
        self.groups = groups
        self.parts = parts
        self.dtype, self.device, self.is_initialized = parts[0].dtype, parts[0].device, True
        del self.keys, self.values

    def __getattr__(self, name: str) -> Any:
        if name not in ("keys", "values"):
            raise AttributeError(name)
        self.keys, self.values = (
            self.groups.in_order([getattr(part, attribute) for part in self.parts]) for attribute in ("keys", "values")
        )
        self.parts = []
        return getattr(self, name)

    def has_parts_of(self, groups: RowGroups) -> bool:
        return bool(self.parts) and groups is self.groups

    def get_seq_length(self) -> int:
        return self.parts[0].get_seq_length() if self.parts else super().get_seq_length()


def _side_by_side(parts: List[Any]) -> DynamicLayer:
    return _filled(*(torch.cat([getattr(part, name) for part in parts], dim=1) for name in ("keys", "values")))


def _filled(keys: torch.Tensor, values: torch.Tensor) -> DynamicLayer:
    layer = DynamicLayer()
    layer.keys, layer.values, layer.dtype, layer.device = keys, values, keys.dtype, keys.device
    layer.is_initialized = True
    return layer


def _share(place: int, experts: int, whole: torch.Tensor) -> torch.Tensor:
    return whole.chunk(experts, dim=1)[place]


def _by_group(value: Any, groups: RowGroups, cross_is_known: bool) -> Sequence[Any]:
    """
    For each group, its rows of whatever has some for each prompt. Where the keys and values of an encoder's states are
    in the cache, these are there for their shape alone.
    """
    if not isinstance(value, torch.Tensor) or value.dim() < 3 or len(value) < len(groups.chosen):
        return [value] * len(groups.experts)
    if cross_is_known and value.dim() == 3:
        return value.split(groups.sizes(len(value)))
    return groups.apart(value)


def _in_order(pieces: Sequence[Any], groups: RowGroups) -> Any:
    """Of position biases there may be one for all rows, or none."""
    if pieces[0] is None:
        return None
    sizes = [len(piece) for piece in pieces]
    return groups.in_order(pieces) if sizes == groups.sizes(sum(sizes)) else pieces[0]
