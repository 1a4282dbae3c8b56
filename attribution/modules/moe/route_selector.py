"""From a router's logits to routes."""

from abc import abstractmethod
from typing import List, Optional, Sequence

import torch
import torch.nn.functional as F
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.modules.moe.temperature import Temperature

_EVALUATIONS = ("argmax", "mixture")


class RouteSelector(torch.nn.Module, Registrable):
    """
    Base of the ways from logits to routes: weights of each layer's experts, 0 or more and with sum 1.

    # Parameters

    disabled : `List[List[int]]`, optional
        Experts that are switched off: `[[layer, expert], ...]`, layers counted through encoder and decoder, without
        the vanilla ones.
    exploration : `float`, optional (default = `0.0`)
        In training, the probability with which the route of an example in a layer becomes one random expert.
    """

    uses_router = True
    by_task = True
    """Whether all examples of a task have the same routes in evaluation."""

    def __init__(self, disabled: Optional[List[List[int]]] = None, exploration: float = 0.0) -> None:
        super().__init__()
        if not 0 <= exploration <= 1:
            raise ConfigurationError(f"selector: exploration is {exploration}; 0 to 1 is possible")
        if any(len(pair) != 2 for pair in disabled or ()):
            raise ConfigurationError(f"selector: disabled is {disabled}; pairs of a layer and an expert are needed")
        self.disabled = disabled or []
        self.exploration = exploration

    def check(self, layers: int, experts: int) -> None:
        """
        # Raises

        `ConfigurationError` if these are not enough experts.
        """
        for layer, expert in self.disabled:
            if not 0 <= layer < layers or not 0 <= expert < experts:
                raise ConfigurationError(
                    f"selector: disabled has [{layer}, {expert}]; there are {layers} layers of {experts} experts, "
                    "counted from 0"
                )
        empty = (~self.allowed(layers, experts)).all(1).nonzero().flatten().tolist()
        if empty:
            raise ConfigurationError(f"selector: disabled leaves no expert in layer {empty[0]}")

    def allowed(self, layers: int, experts: int) -> torch.Tensor:
        """Shape: (layers, experts), bool"""
        allowed = torch.ones(layers, experts, dtype=torch.bool)
        for layer, expert in self.disabled:
            allowed[layer, expert] = False
        return allowed

    def forward(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        """
        # Parameters

        logits : `torch.Tensor`
            Shape: (layers, batch, experts)
        tasks, examples : `Sequence[str]`
            A name for the task, and one for the example, of each row.

        # Returns

        `torch.Tensor`
            Shape: (layers, batch, experts)
        """
        logits = self.without_disabled(logits)
        routes = self.select(logits, tasks, examples)
        if self.training and self.exploration:
            allowed = logits[:, :1].isfinite()
            elsewhere = torch.rand(routes.shape[:2], device=routes.device).unsqueeze(2) < self.exploration
            routes = torch.where(elsewhere, _one_of(allowed, routes.size(1)), routes)
        return routes

    def without_disabled(self, logits: torch.Tensor) -> torch.Tensor:
        """In float32, with minus infinity for the experts that are switched off."""
        # Shape: (layers, 1, experts)
        allowed = self.allowed(logits.size(0), logits.size(2)).to(logits.device).unsqueeze(1)
        return logits.float().masked_fill(~allowed, -torch.inf)

    @abstractmethod
    def select(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        """As `forward`. Logits of experts that are switched off are minus infinity."""


class TemperedSelector(RouteSelector):
    """
    Base of those that a softmax with a temperature underlies.

    # Parameters

    temperature : `Temperature`, optional
        1 by default.
    evaluation : `str`, optional
        What evaluation takes: `argmax`, the likeliest expert alone; or `mixture`, the softmax at the temperature that
        training has reached, without noise. By default what was trained, as published (Ye et al., 2022): of `softmax`
        the mixture, of those with Gumbel noise one expert.

    All others are those of `RouteSelector`.
    """

    trained = "argmax"
    """The `evaluation` that goes with its training."""

    def __init__(
        self,
        temperature: Optional[Temperature] = None,
        evaluation: Optional[str] = None,
        disabled: Optional[List[List[int]]] = None,
        exploration: float = 0.0,
    ) -> None:
        super().__init__(disabled, exploration)
        if evaluation not in (None, *_EVALUATIONS):
            raise ConfigurationError(f"selector: evaluation {evaluation!r} is none of {', '.join(_EVALUATIONS)}")
        self.temperature = temperature or Temperature()
        self.evaluation = evaluation or self.trained

    def select(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        if self.training:
            return self.sample(logits)
        return _one_hot(logits) if self.evaluation == "argmax" else self.softmax(logits)

    def softmax(self, logits: torch.Tensor) -> torch.Tensor:
        return (logits / self.temperature.value).softmax(-1)

    @abstractmethod
    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        """What training takes."""


@RouteSelector.register("softmax")
class Softmax(TemperedSelector):
    """
    softmax(logits / temperature).

    Registered as a `RouteSelector` with name "softmax".

    Parameters are those of `TemperedSelector`.
    """

    trained = "mixture"

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        return self.softmax(logits)


@RouteSelector.register("gumbel_softmax")
class GumbelSoftmax(TemperedSelector):
    """
    softmax((logits + Gumbel noise) / temperature) (Jang et al., 2017, https://arxiv.org/abs/1611.01144).

    Registered as a `RouteSelector` with name "gumbel_softmax".

    Parameters are those of `TemperedSelector`.
    """

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        return self.softmax(logits - torch.empty_like(logits).exponential_().log())


@RouteSelector.register("straight_through")
class StraightThrough(GumbelSoftmax):
    """
    One sampled expert forward, the gradient of `gumbel_softmax` backward (Jang et al., 2017): the temperature shapes
    the gradient alone.

    Registered as a `RouteSelector` with name "straight_through".

    Parameters are those of `TemperedSelector`.
    """

    def sample(self, logits: torch.Tensor) -> torch.Tensor:
        soft = super().sample(logits)
        return _one_hot(soft) + (soft - soft.detach())


@RouteSelector.register("top_k")
class TopK(RouteSelector):
    """
    The softmax of the k largest logits, in training and evaluation.

    Registered as a `RouteSelector` with name "top_k".

    # Parameters

    k : `int`, optional (default = `2`)
        Experts a layer. With 1 its weight is always 1, and a router learns nothing.
    temperature : `Temperature`, optional
        1 by default.

    All others are those of `RouteSelector`.
    """

    def __init__(
        self,
        k: int = 2,
        temperature: Optional[Temperature] = None,
        disabled: Optional[List[List[int]]] = None,
        exploration: float = 0.0,
    ) -> None:
        super().__init__(disabled, exploration)
        self.k = k
        self.temperature = temperature or Temperature()

    def check(self, layers: int, experts: int) -> None:
        super().check(layers, experts)
        check_count("top_k: k", self.k, self.allowed(layers, experts))

    def select(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        kept = logits.topk(self.k, dim=-1).indices
        others = torch.ones_like(logits, dtype=torch.bool).scatter(-1, kept, False)
        return (logits.masked_fill(others, -torch.inf) / self.temperature.value).softmax(-1)


@RouteSelector.register("uniform")
class Uniform(RouteSelector):
    """
    The same weight for all experts. There is no router.

    Registered as a `RouteSelector` with name "uniform".

    Parameters are those of `RouteSelector`.
    """

    uses_router = False

    def select(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        return logits.isfinite().to(logits.dtype) / logits.isfinite().sum(-1, keepdim=True)


def check_count(setting: str, count: int, allowed: torch.Tensor) -> None:
    """
    # Raises

    `ConfigurationError` if a layer has fewer experts that are switched on.
    """
    most = int(allowed.sum(1).min())
    if not 1 <= count <= most:
        raise ConfigurationError(f"selector: {setting} is {count}; 1 to {most} experts are possible")


def _one_hot(values: torch.Tensor) -> torch.Tensor:
    return F.one_hot(values.argmax(-1), values.size(-1)).to(values.dtype)


def _one_of(allowed: torch.Tensor, batch: int) -> torch.Tensor:
    """A random expert for each layer and row. Shape: (layers, batch, experts)"""
    layers, _, experts = allowed.shape
    drawn = torch.multinomial(allowed[:, 0].float(), batch, replacement=True)
    return F.one_hot(drawn, experts).to(torch.float32)
