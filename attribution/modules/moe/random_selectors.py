"""Routes that nobody learns: baselines."""

import random
from typing import Any, Sequence

import torch
import torch.nn.functional as F

from attribution.modules.moe.route_selector import RouteSelector, check_count


@RouteSelector.register("instance_random")
class InstanceRandom(RouteSelector):
    """
    One random expert for each example and layer: drawn anew in training, and always the same in evaluation. There is
    no router.

    Registered as a `RouteSelector` with name "instance_random".

    # Parameters

    seed : `int`, optional (default = `0`)
        Of evaluation's routes.

    All others are those of `RouteSelector`.
    """

    uses_router = False
    by_task = False

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def select(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        if self.training:
            drawn = torch.multinomial(logits.isfinite()[:, 0].float(), logits.size(1), replacement=True)
        else:
            experts = [mask.nonzero().flatten().tolist() for mask in logits[:, 0].isfinite()]
            generators = [random.Random(f"{self.seed} {example}") for example in examples]
            drawn = torch.tensor([[one.choice(layer) for layer in experts] for one in generators]).T.to(logits.device)
        return F.one_hot(drawn, logits.size(-1)).to(logits.dtype)


@RouteSelector.register("task_random")
class TaskRandom(RouteSelector):
    """
    n random experts for each task and layer, with equal weights: always the same ones. There is no router, and nothing
    to train.

    Registered as a `RouteSelector` with name "task_random".

    # Parameters

    n : `int`, optional (default = `1`)
        Experts a layer.
    seed : `int`, optional (default = `0`)
        With the task's name it says which.

    All others are those of `RouteSelector`.
    """

    uses_router = False

    def __init__(self, n: int = 1, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.seed = seed

    def check(self, layers: int, experts: int) -> None:
        super().check(layers, experts)
        check_count("task_random: n", self.n, self.allowed(layers, experts))

    def select(self, logits: torch.Tensor, tasks: Sequence[str], examples: Sequence[str]) -> torch.Tensor:
        experts = [mask.nonzero().flatten().tolist() for mask in logits[:, 0].isfinite()]
        generators = [random.Random(f"{self.seed} {task}") for task in tasks]
        # Shape: (layers, batch, n)
        drawn = torch.tensor([[one.sample(layer, self.n) for layer in experts] for one in generators]).transpose(0, 1)
        return torch.zeros_like(logits).scatter(-1, drawn.to(logits.device), 1 / self.n)
