"""What the routes of a mixture of experts need to know of a training."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training import TrainerCallback


@TrainerCallback.register("update_routing")
class UpdateRouting(TrainerCallback):
    """
    Counts the updates of a `task_moe_seq2seq` for the temperature of its routes and, on request, trains its experts and
    its router in turns: what is not trained gets no gradient, and is not moved by momentum or weight decay either.

    Registered as a `TrainerCallback` with name "update_routing".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    alternate : `int`, optional
        The length of a turn, in updates. As published (Ye et al., 2022), update n, counted from 1, trains the experts
        where n // `alternate` is odd, and the router and task vectors elsewhere: these begin, with a turn that is one
        update shorter (none, of 1). By default all are trained together.
    """

    def __init__(self, serialization_dir: str, alternate: Optional[int] = None) -> None:
        super().__init__(serialization_dir)
        if alternate is not None and alternate < 1:
            raise ConfigurationError(f"update_routing: alternate is {alternate}; at least one update is needed")
        self.alternate = alternate
        self._turns: List[List[torch.nn.Parameter]] = []

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        model = trainer.model
        if not hasattr(model, "counts_updates"):
            raise ConfigurationError("update_routing: the model has no routes; it is for a task_moe_seq2seq")
        model.counts_updates = True
        if self.alternate is not None:
            if trainer._distributed:
                raise ConfigurationError("update_routing: alternate is for one process")
            trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
            routes = [weight for name, weight in trained if not name.startswith("transformer.")]
            if not routes:
                raise ConfigurationError("update_routing: alternate needs a router that is trained")
            self._turns = [routes, [weight for name, weight in trained if name.startswith("transformer.")]]
            self._take_turns(model)

    def on_batch(
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Dict[str, Any],
        epoch: int,
        batch_number: int,
        is_training: bool,
        is_primary: bool = True,
        batch_grad_norm: Optional[float] = None,
        **kwargs: Any,
    ) -> None:
        if is_training:
            trainer.model.count_update()
            self._take_turns(trainer.model)

    def on_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        for weight in (weight for turn in self._turns for weight in turn):
            weight.requires_grad_(True)

    def _take_turns(self, model: Any) -> None:
        if self.alternate is not None:
            now = (int(model.updates) + 1) // self.alternate % 2
            for number, weights in enumerate(self._turns):
                for weight in weights:
                    weight.requires_grad_(number == now)
