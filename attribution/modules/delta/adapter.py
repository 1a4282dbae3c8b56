"""Bottleneck adapters after, or beside, the sub-layers of a transformer."""

import re
from collections import Counter
from typing import Any, Dict, List, Optional, Tuple
from typing import Counter as CounterType

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel
from transformers.activations import ACT2FN

from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.sublayers import (
    ATTENTION_OUTPUT,
    FEED_FORWARD_INPUT,
    FEED_FORWARD_OUTPUT,
    find,
    freeze,
)
from attribution.modules.delta.trial import Trial

_INITIALISATIONS = ("identity", "normal")
_Place = Tuple[Optional[torch.nn.Module], torch.nn.Module]


class BottleneckAdapter(torch.nn.Module):
    """
    x -> scale * f(x A) B.

    # Parameters

    width, size : `int`
        A is width x size, B size x width.
    activation : `str`
        A name of `transformers`' table of activations.
    initialisation : `str`
        `identity`: A from N(0, std), B zero; `normal`: both from N(0, std). Biases are zero.
    """

    def __init__(
        self, width: int, size: int, activation: str, bias: bool, initialisation: str, std: float, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.adapter_down = torch.nn.Linear(width, size, bias=bias)
        self.adapter_up = torch.nn.Linear(size, width, bias=bias)
        self.activation = ACT2FN[activation]
        self.scale = scale
        for weight in self.parameters():
            torch.nn.init.zeros_(weight)
        torch.nn.init.normal_(self.adapter_down.weight, std=std)
        if initialisation == "normal":
            torch.nn.init.normal_(self.adapter_up.weight, std=std)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.scale * self.adapter_up(self.activation(self.adapter_down(states)))


class Adapter(DeltaModule):
    """
    Base of the adapters. An adapter belongs to the last linear layer of a sub-layer: what comes out of that is the
    sub-layer's output before dropout and residual connection.

    # Parameters

    size : `int`, optional (default = `12`)
        The bottleneck: 12 on T5-v1.1-base is 1,105,920 parameters for `houlsby` (Lv et al., 2023).
    activation : `str`, optional
        A name of `transformers`' table of activations.
    bias : `bool`, optional (default = `False`)
        Biases in both linear layers.
    initialisation : `str`, optional (default = `"identity"`)
        `identity`: the second layer is zero at first, and the model's output unchanged; `normal`, as published: both
        from N(0, std), and the output nearly unchanged.
    std : `float`, optional (default = `0.02`)
        The standard deviation of what is drawn.
    target_modules : `List[str]`, optional
        Names of the layers to give an adapter each, instead of those that the method says.

    All others are those of `DeltaModule`.
    """

    method: str
    default_activation: str
    kinds: Tuple[str, ...] = (FEED_FORWARD_OUTPUT,)
    """The names of the sub-layers that have one, kind by kind: every layer has as many of each."""

    def __init__(
        self,
        size: int = 12,
        activation: Optional[str] = None,
        bias: bool = False,
        initialisation: str = "identity",
        std: float = 0.02,
        target_modules: Optional[List[str]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        activation = activation or self.default_activation
        for setting, value, choices in (
            ("initialisation", initialisation, _INITIALISATIONS),
            ("activation", activation, tuple(ACT2FN)),
        ):
            if value not in choices:
                raise ConfigurationError(f"{self.method}: {setting} {value!r} is none of {', '.join(choices)}")
        if size < 1:
            raise ConfigurationError(f"{self.method}: size is {size}; it must be at least 1")
        self.size = size
        self.activation = activation
        self.bias = bias
        self.initialisation = initialisation
        self.std = std
        self.target_modules = target_modules

    def inject(self, transformer: PreTrainedModel) -> None:
        places = self.places(transformer)
        if self.target_modules is None:
            places = self._used(transformer, places)
        freeze(transformer)
        for before, after in places:
            adapter = self.adapter(_width(after, transformer))
            if before is None:
                after.register_forward_hook(_add_to_output)
            else:
                before.register_forward_pre_hook(_Keep(after))
                after.register_forward_hook(_add_beside)
            after.add_module("adapter", adapter)

    def places(self, transformer: PreTrainedModel) -> List[_Place]:
        """(None, the layer whose output is the adapter's input) for each adapter."""
        return [(None, module) for _, module in find(transformer, self.pattern(), self.method, self.target_modules)]

    def pattern(self) -> str:
        return "|".join(self.kinds)

    def _used(self, transformer: PreTrainedModel, places: List[_Place]) -> List[_Place]:
        """
        Those that a text goes through: a decoder alone has no use for its cross-attention.

        # Raises

        `ConfigurationError` if a layer would have fewer adapters than another, or lacks a kind: experts, for example,
        are not linear layers.
        """
        names = {id(module): name for name, module in transformer.named_modules()}
        trial = Trial(transformer, self.method, "`lora`, or layers that you name under `target_modules`,")
        reached = trial.reached({names[id(after)]: after for _, after in places})
        counts: Dict[str, CounterType[str]] = {}
        for name in reached:
            kind = next(kind for kind in self.kinds if re.fullmatch(rf"(.*\.)?({kind})", name))
            stack, number, _ = re.split(r"\.(\d+)\.", name, maxsplit=1)
            counts.setdefault(stack, Counter())[f"{number} {kind}"] += 1
        for stack, of_layer in counts.items():
            layers: Any = transformer.get_submodule(stack)
            of_kind = [{of_layer[f"{number} {kind}"] for number in range(len(layers))} for kind in self.kinds]
            if any(numbers == {0} or len(numbers) > 1 for numbers in of_kind):
                raise trial.refused(f"has layers in {stack} with sub-layers whose names are not known")
        return [place for place in places if names[id(place[1])] in reached]

    def adapter(self, width: int) -> BottleneckAdapter:
        return BottleneckAdapter(width, self.size, self.activation, self.bias, self.initialisation, self.std)

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return {
            "peft_type": self.method.upper(),
            "size": self.size,
            "activation": self.activation,
            "bias": self.bias,
            "target_modules": self.target_modules,
        }


@DeltaModule.register("houlsby")
class Houlsby(Adapter):
    """
    An adapter after every sub-layer (Houlsby et al., 2019, https://arxiv.org/abs/1902.00751): y = x + f(x A) B, f
    being SiLU, without biases (Lv et al., 2023).

    Registered as a `DeltaModule` with name "houlsby".

    Parameters are those of `Adapter`.
    """

    method = "houlsby"
    default_activation = "silu"
    kinds = (ATTENTION_OUTPUT, FEED_FORWARD_OUTPUT)


@DeltaModule.register("pfeiffer")
class Pfeiffer(Adapter):
    """
    An adapter after every feed-forward sub-layer (Pfeiffer et al., 2021, https://arxiv.org/abs/2005.00247):
    y = x + f(x A) B, f being ReLU.

    Registered as a `DeltaModule` with name "pfeiffer".

    Parameters are those of `Adapter`.
    """

    method = "pfeiffer"
    default_activation = "relu"


@DeltaModule.register("parallel")
class Parallel(Adapter):
    """
    An adapter beside every feed-forward sub-layer (He et al., 2022, https://arxiv.org/abs/2110.04366):
    y = FFN(x) + scale * f(x A) B, f being ReLU and x the sub-layer's normed input.

    Registered as a `DeltaModule` with name "parallel".

    # Parameters

    size : `int`, optional (default = `512`)
        The bottleneck.
    scale : `float`, optional (default = `1.0`)
        He et al. take 4.
    target_modules : `List[str]`, optional
        Names of whole feed-forward sub-layers, input to output, instead of all that are known.

    All others are those of `Adapter`.
    """

    method = "parallel"
    default_activation = "relu"

    def __init__(self, size: int = 512, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(size=size, **kwargs)
        self.scale = scale

    def places(self, transformer: PreTrainedModel) -> List[_Place]:
        if self.target_modules is not None:
            return [(module, module) for _, module in find(transformer, "", self.method, self.target_modules)]
        inputs = find(transformer, FEED_FORWARD_INPUT, self.method)
        outputs = find(transformer, FEED_FORWARD_OUTPUT, self.method)
        if len(inputs) != len(outputs):
            raise ConfigurationError(
                f"{self.method}: a {transformer.config.model_type} model has {len(inputs)} feed-forward inputs and "
                f"{len(outputs)} outputs whose names are known; name whole sub-layers under `target_modules`"
            )
        return [(before, after) for (_, before), (_, after) in zip(inputs, outputs)]

    def adapter(self, width: int) -> BottleneckAdapter:
        return BottleneckAdapter(
            width, self.size, self.activation, self.bias, self.initialisation, self.std, self.scale
        )

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return {**super().adapter_config(transformer), "scale": self.scale}


class _Keep:
    """Hands the input of one layer to the adapter of another, within one forward pass."""

    def __init__(self, after: torch.nn.Module) -> None:
        self.after = after

    def __call__(self, _module: torch.nn.Module, arguments: Tuple[torch.Tensor, ...]) -> None:
        self.after.adapter_input = arguments[0]  # type: ignore[assignment]


def _add_to_output(module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
    return output + module.adapter(output)


def _add_beside(module: Any, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
    return output + module.adapter(module.__dict__.pop("adapter_input"))


def _width(module: torch.nn.Module, transformer: PreTrainedModel) -> int:
    """Of a layer's output: a linear layer's own, `nf` of GPT-2's; the model's for others."""
    for name in ("out_features", "nf"):
        if isinstance(getattr(module, name, None), int):
            return getattr(module, name)
    return transformer.get_decoder().config.hidden_size
