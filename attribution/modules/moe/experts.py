"""What an expert is, and how experts get into a transformer."""

import re
from abc import abstractmethod
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel
from transformers.activations import ACT2FN

from attribution.modules.delta.delta_folder import PREFIX, base_fingerprint, read_delta
from attribution.modules.delta.delta_kind import Base, base_difference, kind_of
from attribution.modules.delta.sublayers import (
    ATTENTION_OUTPUT,
    FEED_FORWARD_INPUT,
    FEED_FORWARD_OUTPUT,
    freeze,
)
from attribution.modules.moe.bottleneck_experts import BottleneckExperts, add_after, add_beside
from attribution.modules.moe.layer_experts import LayerExperts
from attribution.modules.moe.linear_experts import LinearExperts
from attribution.modules.moe.routes import RoutedModule, RouteHolder

_LISTS = ("block", "layers")
_RELATIVE_POSITIONS = ("relative_attention_bias",)
_GATED_INPUT = r"DenseReluDense\.wi_1"


class Place(NamedTuple):
    """A transformer layer that gets experts."""

    layer: int
    """Which of the routed layers: the encoder's, then the decoder's."""
    blocks: torch.nn.ModuleList
    """The layers of its stack."""
    number: int
    """Its place among these."""
    name: str
    """In the transformer."""

    @property
    def block(self) -> torch.nn.Module:
        return self.blocks[self.number]


class Experts(Registrable):
    """
    Base of the kinds of experts. Embeddings and output layer are shared by all.

    # Parameters

    count : `int`, optional (default = `3`)
        Experts a layer.
    vanilla_encoder_layers, vanilla_decoder_layers : `List[int]`, optional
        Layers that stay as they are, counted from 0.
    noise : `float`, optional (default = `0.001`)
        What the copies are moved by at first, as a share of the root mean square of each weight's values (published:
        1e-8 in absolute numbers, which changes hardly a value).
    """

    trains_all = True
    """Whether the weights of the transformer are trained, too."""

    def __init__(
        self,
        count: int = 3,
        vanilla_encoder_layers: Optional[List[int]] = None,
        vanilla_decoder_layers: Optional[List[int]] = None,
        noise: float = 0.001,
    ) -> None:
        if count < 1 or noise < 0:
            raise ConfigurationError(f"experts: count is {count}, noise {noise}; at least 1 and 0 are needed")
        self.count = count
        self.vanilla = (vanilla_encoder_layers or [], vanilla_decoder_layers or [])
        self.noise = noise

    def inject(self, transformer: PreTrainedModel) -> RouteHolder:
        """
        Puts the experts into `transformer`, in place.

        # Raises

        `ConfigurationError` if there is no layer for them.
        """
        holder = RouteHolder()
        places = self.places(transformer)
        if not self.trains_all:
            freeze(transformer)
        for place in places:
            self.put(place, holder, transformer)
        with torch.no_grad():
            for module in routed_modules(transformer):
                for expert in range(1, self.count):
                    self._move(module.expert_tensors(expert))
        return holder

    def places(self, transformer: PreTrainedModel) -> List[Place]:
        """
        # Raises

        `ConfigurationError` if the architecture is not known, or a vanilla layer is not there.
        """
        stacks = (("encoder", transformer.get_encoder()), ("decoder", transformer.get_decoder()))
        names = {id(module): name for name, module in transformer.named_modules()}
        found: List[Tuple[Any, int, str]] = []
        for (stack_name, stack), vanilla in zip(stacks, self.vanilla):
            blocks: Any = next((getattr(stack, name) for name in _LISTS if hasattr(stack, name)), None)
            if not isinstance(blocks, torch.nn.ModuleList):
                raise ConfigurationError(f"experts: of a {type(transformer).__name__} the layers are not known")
            unknown = sorted(set(vanilla) - set(range(len(blocks))))
            if unknown:
                raise ConfigurationError(
                    f"experts: vanilla_{stack_name}_layers has {unknown[0]}; the {stack_name}'s are 0 to "
                    f"{len(blocks) - 1}"
                )
            found += [(blocks, n, names[id(blocks[n])]) for n in range(len(blocks)) if n not in vanilla]
        if not found:
            raise ConfigurationError("experts: every layer is a vanilla layer; leave some of them out")
        return [Place(layer, *place) for layer, place in enumerate(found)]

    @abstractmethod
    def put(self, place: Place, holder: RouteHolder, transformer: PreTrainedModel) -> None:
        """Puts the experts of one layer there."""

    def _move(self, tensors: Sequence[torch.Tensor]) -> None:
        for tensor in tensors if self.noise else ():
            size = tensor.square().mean().sqrt()
            tensor += self.noise * size * torch.randn_like(tensor)


@Experts.register("layer")
class WholeLayers(Experts):
    """
    An expert is a whole layer: attention, feed-forward network and layer norms (Ye et al., 2022,
    https://arxiv.org/abs/2205.12701). T5's relative positions are shared, as embeddings are.

    Registered as an `Experts` with name "layer".

    Parameters are those of `Experts`.
    """

    def put(self, place: Place, holder: RouteHolder, transformer: PreTrainedModel) -> None:
        place.blocks[place.number] = LayerExperts(holder, place.layer, place.block, self.count, _RELATIVE_POSITIONS)


@Experts.register("feed_forward")
class FeedForwards(Experts):
    """
    An expert is the feed-forward network of a layer. Attention and layer norms are shared.

    Registered as an `Experts` with name "feed_forward".

    Parameters are those of `Experts`.
    """

    def put(self, place: Place, holder: RouteHolder, transformer: PreTrainedModel) -> None:
        opening = _inside(place, f"{FEED_FORWARD_INPUT}|{_GATED_INPUT}", "feed_forward")
        closing = _inside(place, FEED_FORWARD_OUTPUT, "feed_forward")
        for linears, closes in ((opening, False), (closing, True)):
            for name, linear in linears.items():
                outer, _, last = name.rpartition(".")
                experts = LinearExperts(holder, place.layer, linear, self.count, closes)
                setattr(place.block.get_submodule(outer), last, experts)


class Bottlenecks(Experts):
    """
    Base of the small experts. The transformer's own weights are not trained, and not in archives.

    # Parameters

    target_modules : `List[str]`, optional
        Names of the linear layers to change, instead of those that the kind says.

    All others are those of `Experts`; `noise` does nothing.
    """

    trains_all = False
    name: str
    pattern: str
    activation = "linear"
    scale = 1.0
    dropout = 0.0
    size: int

    def __init__(self, target_modules: Optional[List[str]] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if target_modules == []:
            raise ConfigurationError(f"experts: {self.name}: `target_modules` is empty; leave it out, or name some")
        self.noise = 0.0  # They differ by what they are drawn from.
        self.target_modules = target_modules

    def put(self, place: Place, holder: RouteHolder, transformer: PreTrainedModel) -> None:
        pattern = "|".join(map(re.escape, self.target_modules)) if self.target_modules else self.pattern
        for linear in _inside(place, pattern, self.name).values():
            self.put_at(linear, place, holder)

    @abstractmethod
    def put_at(self, linear: Any, place: Place, holder: RouteHolder) -> None:
        """Puts the experts of one linear layer there."""


@Experts.register("lora")
class LoraExperts(Bottlenecks):
    """
    An expert is a LoRA (Hu et al., 2022, https://arxiv.org/abs/2106.09685) for each of a layer's queries and values:
    W + (alpha / r) sum_e p_e B_e A_e.

    Registered as an `Experts` with name "lora".

    # Parameters

    r : `int`, optional (default = `16`)
        The rank of each.
    alpha : `float`, optional
        The scale's numerator; twice the rank if not given.
    dropout : `float`, optional (default = `0.0`)
        On the input of A.
    weights : `List[str]`, optional
        A folder for each expert, with a LoRA of this rank and these layers to start from, for `arrow`, say. Archives
        hold what became of them.

    All others are those of `Bottlenecks`.
    """

    name = "lora"
    pattern = r"q|v|q_proj|v_proj"

    def __init__(
        self,
        r: int = 16,
        alpha: Optional[float] = None,
        dropout: float = 0.0,
        weights: Optional[List[str]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if weights is not None and len(weights) != self.count:
            raise ConfigurationError(
                f"experts: lora: {len(weights)} folders of weights for {self.count} experts; each needs one"
            )
        self.weights = weights
        if r < 1 or not 0 <= dropout < 1:
            raise ConfigurationError(f"experts: lora: r is {r}, dropout {dropout}; at least 1, and 0 to 1 are possible")
        self.size = r
        self.alpha = 2.0 * r if alpha is None else alpha
        self.dropout = dropout

    def inject(self, transformer: PreTrainedModel) -> RouteHolder:
        holder = super().inject(transformer)
        for expert, folder in enumerate(self.weights or ()):
            self._load(transformer, expert, folder)
        return holder

    def _load(self, transformer: PreTrainedModel, expert: int, folder: str) -> None:
        delta = read_delta(folder)
        kind = kind_of(delta, folder)
        if kind.changes_base or not kind.products:
            setting = kind.other_product or ("init_lora_weights" if kind.changes_base else "peft_type")
            raise ConfigurationError(
                f"experts: lora: weights: {folder} is not LoRA that adds scale x B A to its layers: its `{setting}` is "
                f"{delta.config[setting]!r}; give deltas without that"
            )
        there = Base.of(delta.config, delta.base_fingerprint)
        difference = base_difference(there, Base(base_fingerprint(transformer), transformer.name_or_path or ""))
        if difference:
            raise ConfigurationError(f"experts: lora: weights: {folder} was tuned on another base model: {difference}")
        infinite = [name for name, tensor in delta.tensors.items() if not tensor.isfinite().all()]
        if infinite:
            raise ConfigurationError(f"experts: lora: weights: {folder}: {infinite[0]} has values that are no numbers")
        own = {
            f"{PREFIX}{name.removesuffix('.expert')}": module
            for name, module in transformer.named_modules()
            if isinstance(module, BottleneckExperts)
        }
        wanted = {
            f"{name}.lora_{part}.weight": tuple(shape)
            for name, module in own.items()
            for part, shape in (("A", module.down[0].shape), ("B", module.up[0].T.shape))
        }
        found = {name: tuple(tensor.shape) for name, tensor in delta.tensors.items()}
        differences = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
        if differences:
            name = differences[0]
            raise ConfigurationError(
                f"experts: lora: {folder} is no LoRA of these layers and rank: {name} is {found.get(name)} there and "
                f"{wanted.get(name)} here"
            )
        with torch.no_grad():
            for name, module in own.items():
                product = kind.products[f"{name}.lora_A.weight"]
                module.down[expert] = delta.tensors[f"{name}.lora_A.weight"]
                module.up[expert] = product.scale / (self.alpha / self.size) * delta.tensors[product.second].T

    def put_at(self, linear: Any, place: Place, holder: RouteHolder) -> None:
        linear.expert = BottleneckExperts(
            holder,
            place.layer,
            linear.in_features,
            linear.out_features,
            self.size,
            self.count,
            self.alpha / self.size,
            "linear",
            self.dropout,
        )
        linear.register_forward_hook(add_beside)


@Experts.register("adapter")
class AdapterExperts(Bottlenecks):
    """
    An expert is an adapter after each sub-layer (Houlsby et al., 2019, https://arxiv.org/abs/1902.00751), as the delta
    `houlsby`: x + sum_e p_e f(x A_e) B_e.

    Registered as an `Experts` with name "adapter".

    # Parameters

    size : `int`, optional (default = `12`)
        The bottleneck of each.
    activation : `str`, optional (default = `"silu"`)
        f: a name of `transformers`' table of activations.

    All others are those of `Bottlenecks`.
    """

    name = "adapter"
    pattern = f"{ATTENTION_OUTPUT}|{FEED_FORWARD_OUTPUT}"

    def __init__(self, size: int = 12, activation: str = "silu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1 or activation not in ACT2FN:
            raise ConfigurationError(
                f"experts: adapter: size is {size}, activation {activation!r}; at least 1 and one of "
                f"{', '.join(ACT2FN)} are possible"
            )
        self.size = size
        self.activation = activation

    def put_at(self, linear: Any, place: Place, holder: RouteHolder) -> None:
        width = linear.out_features
        linear.expert = BottleneckExperts(
            holder, place.layer, width, width, self.size, self.count, self.scale, self.activation
        )
        linear.register_forward_hook(add_after)


def routed_modules(transformer: torch.nn.Module) -> List[RoutedModule]:
    """All that hold experts, in the transformer's own order."""
    return [module for module in transformer.modules() if isinstance(module, RoutedModule)]


def _inside(place: Place, pattern: str, kind: str) -> Dict[str, torch.nn.Module]:
    """The linear layers of a layer whose names end in a pattern, by name."""
    ending = re.compile(rf"(.*\.)?({pattern})")
    found = {name: module for name, module in place.block.named_modules() if ending.fullmatch(name)}
    if not found or not all(isinstance(module, torch.nn.Linear) for module in found.values()):
        raise ConfigurationError(
            f"experts: {kind}: in {place.name}, a {type(place.block).__name__}, there is no linear layer of the name; "
            f"the names end in {pattern}"
        )
    return found
