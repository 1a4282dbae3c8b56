"""No validation before a given update."""

from typing import Any, Dict

from allennlp.common.checks import ConfigurationError
from allennlp.training import TrainerCallback


@TrainerCallback.register("validate_from")
class ValidateFrom(TrainerCallback):
    """
    Leaves out the validations before an update, so that none of the weights until then can be the best: the published
    second stage of task-level mixtures of experts looks at none before 15,000 of 60,000 updates (Ye et al., 2022). The
    last epoch is always validated. AllenNLP's own `should_validate_callback` counts epochs; it may keep the weights of
    an epoch without validation as the best, and loses a validation after `--recover`.

    Registered as a `TrainerCallback` with name "validate_from".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    update : `int`
        The first update, counted from 1, after which an epoch that ends is validated.
    """

    def __init__(self, serialization_dir: str, update: int) -> None:
        super().__init__(serialization_dir)
        if update < 0:
            raise ConfigurationError(f"validate_from: update is {update}; 0 or more is possible")
        self.update = update
        self._updates = 0

    def state_dict(self) -> Dict[str, Any]:
        return {"updates": self._updates}

    def load_state_dict(self, state_dict: Dict[str, Any]) -> None:
        self._updates = state_dict["updates"]

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        """
        # Raises

        `ConfigurationError` if the training has not so many updates.
        """
        super().on_start(trainer, is_primary, **kwargs)
        try:
            batches = len(trainer.data_loader)
        except TypeError:  # A loader that reads on and on.
            batches = self.update
        updates = trainer._num_epochs * -(-batches // trainer._num_gradient_accumulation_steps)
        if self.update > updates:
            raise ConfigurationError(
                f"validate_from: update is {self.update}, and the training has {updates}; nothing would be validated"
            )
        self._decide(trainer, trainer._start_after_epochs_completed)

    def on_batch(
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Dict[str, Any],
        epoch: int,
        *args: Any,
        is_training: bool = True,
        **kwargs: Any,
    ) -> None:
        if is_training:
            self._updates += 1
            self._decide(trainer, epoch)

    def _decide(self, trainer: Any, epoch: int) -> None:
        trainer._should_validate_this_epoch = self._updates >= self.update or epoch == trainer._num_epochs - 1
