"""A learning rate that drops after some epochs."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training.learning_rate_schedulers import LearningRateScheduler


@LearningRateScheduler.register("multi_step_with_warmup")
class MultiStepWithWarmup(LearningRateScheduler):
    """
    Grows from batch to batch in the first epochs, up to the optimizer's learning rate, and is multiplied after some
    others: the schedule by which image networks are trained on CIFAR-100.

    Registered as a `LearningRateScheduler` with name "multi_step_with_warmup".

    # Parameters

    optimizer : `torch.optim.Optimizer`
        AllenNLP gives it, and the number of batches.
    milestones : `List[int]`
        After so many epochs, each time.
    gamma : `float`, optional (default = `0.1`)
        By so much.
    warmup_epochs : `int`, optional (default = `1`)
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        milestones: List[int],
        gamma: float = 0.1,
        warmup_epochs: int = 1,
        num_steps_per_epoch: Optional[int] = None,
        last_epoch: int = -1,
    ) -> None:
        super().__init__(optimizer, last_epoch)
        if min(milestones, default=1) < 1 or gamma <= 0 or warmup_epochs < 0:
            raise ConfigurationError(
                f"learning_rate_scheduler: milestones are {milestones}, gamma {gamma}, warmup_epochs {warmup_epochs}; "
                "epochs from 1 on, a number above 0, and 0 or more are needed"
            )
        if warmup_epochs and num_steps_per_epoch is None:
            raise ConfigurationError(
                "learning_rate_scheduler: without the number of batches an epoch there is no warm-up; set "
                "warmup_epochs to 0, or batches_per_epoch of the data loader"
            )
        self.milestones = milestones
        self.gamma = gamma
        self.warmup_steps = warmup_epochs * (num_steps_per_epoch or 0)
        self.batches = 0
        self._set()

    def get_values(self) -> List[float]:
        warm = min(1.0, (self.batches + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        drops = sum(self.last_epoch + 1 >= milestone for milestone in self.milestones)
        return [value * warm * self.gamma**drops for value in self.base_values]

    def step_batch(self, batch_num_total: Optional[int] = None) -> None:
        self.batches = self.batches + 1 if batch_num_total is None else batch_num_total
        self._set()

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._set()

    def _set(self) -> None:
        groups: List[Any] = self.optimizer.param_groups
        for group, value in zip(groups, self.get_values()):
            group[self.param_group_field] = value
