"""
Copies of a whole transformer layer as experts (Ye et al., 2022, https://arxiv.org/abs/2205.12701).

A layer's entry of the cache holds the keys and values of all its experts. Each expert in turn finds its own part there,
as if it were alone: in a mixture a share of the heads; where each row has one expert, the rows of that expert.
"""

import copy
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Sequence

import torch
from allennlp.common.checks import ConfigurationError
from transformers import EncoderDecoderCache
from transformers.cache_utils import DynamicLayer

from attribution.modules.moe.routes import LayerRoute, RoutedModule, RouteHolder, RowGroup, in_order, row_groups

Part = Callable[[torch.Tensor], torch.Tensor]
Join = Callable[[List[torch.Tensor]], torch.Tensor]


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
        entries = _CacheEntries(kwargs.get("past_key_values"), self._cache_layer)
        if route.chosen is None:
            outputs = self._mixture(route, entries, states, *args, **kwargs)
        else:
            groups = row_groups(route.chosen, route.active)
            if len(groups) == 1:
                return self.experts[groups[0].expert](states, *args, **kwargs)
            outputs = self._row_by_row(groups, len(route.chosen), entries, states, *args, **kwargs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _mixture(self, route: LayerRoute, entries: "_CacheEntries", *args: Any, **kwargs: Any) -> List[Any]:
        """All active experts on all rows. What they return beside states (position biases) is the same for all."""
        mixed, others = None, []
        for place, expert in enumerate(route.active):
            with entries.turn(partial(_share, place, len(route.active))):
                states, *others = _listed(self.experts[expert](*args, **kwargs))
            weighted = self.row_weights(states, expert) * states
            mixed = weighted if mixed is None else mixed + weighted
        entries.join(lambda parts: torch.cat(parts, dim=1))
        return [mixed, *others]

    def _row_by_row(
        self,
        groups: List[RowGroup],
        batch: int,
        entries: "_CacheEntries",
        states: torch.Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> List[Any]:
        """Each expert on its own rows."""
        found = []
        for group in groups:
            mine = _RowsOf(group, batch)
            beside = _RowsOf(group, batch, unread=entries.cross_is_known)
            with entries.turn(mine):
                output = self.experts[group.expert](
                    mine(states), *map(beside, args), **{name: beside(value) for name, value in kwargs.items()}
                )
            found.append(_listed(output))
        entries.join(lambda parts: _in_order(parts, groups, batch))
        return [_in_order(list(pieces), groups, batch) for pieces in zip(*found)]


class _RowsOf:
    """
    Picks the rows of a group out of whatever has some for each prompt.

    # Parameters

    unread : `bool`, optional (default = `False`)
        Whether an encoder's states are there for their shape alone, their keys and values being in the cache.
    """

    def __init__(self, group: RowGroup, batch: int, unread: bool = False) -> None:
        self.group = group
        self.batch = batch
        self.unread = unread

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.dim() < 3 or len(value) < self.batch:
            return value
        if self.unread and value.dim() == 3:
            return value[: len(self.group.prompts) * (len(value) // self.batch)]
        return value.index_select(0, self.group.places(len(value), self.batch))


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

    @contextmanager
    def turn(self, part: Part) -> Iterator[None]:
        """Within it the cache is that of one expert."""
        self.is_updated[self.number] = self.cross_is_known
        for entry in self.entries:
            entry.show(part)
        yield
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
        if type(layers[number]) is not DynamicLayer:
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
        empty = not self.whole.get_seq_length()
        self.layers[self.number] = DynamicLayer() if empty else _filled(part(self.whole.keys), part(self.whole.values))

    def keep(self) -> None:
        self.parts.append(self.layers[self.number])

    def join(self, join: Join) -> None:
        self.layers[self.number] = self.whole
        if self.grows and all(part.get_seq_length() for part in self.parts):
            keys, values = ([getattr(part, name) for part in self.parts] for name in ("keys", "values"))
            self.layers[self.number] = _filled(join(keys), join(values))


def _filled(keys: torch.Tensor, values: torch.Tensor) -> DynamicLayer:
    layer = DynamicLayer()
    layer.keys, layer.values, layer.dtype, layer.device = keys, values, keys.dtype, keys.device
    layer.is_initialized = True
    return layer


def _share(place: int, experts: int, whole: torch.Tensor) -> torch.Tensor:
    return whole.chunk(experts, dim=1)[place]


def _listed(output: Any) -> List[Any]:
    return [output] if isinstance(output, torch.Tensor) else list(output)


def _in_order(pieces: List[Any], groups: List[RowGroup], batch: int) -> Any:
    """Of position biases there may be one for all rows, or none."""
    if pieces[0] is None:
        return None
    each = max(1, len(pieces[0]) // len(groups[0].prompts))
    if any(len(piece) != each * len(group.prompts) for piece, group in zip(pieces, groups)):
        return pieces[0]
    return in_order(list(pieces), [group.places(each * batch, batch) for group in groups])
