"""Early stopping that counts an equal value as a better one."""

from typing import Any, Dict

from allennlp.training import TrainerCallback


@TrainerCallback.register("ties_improve")
class TiesImprove(TrainerCallback):
    """
    A validation as good as the best one is an improvement: it becomes the best, and patience starts anew, as in weight
    ensembling's published training (Lv et al., 2023). AllenNLP asks for a better one. A model that fits its training
    rows no longer improves in truth: with a mean training loss below 1e-7 a tie does not count.

    Registered as a `TrainerCallback` with name "ties_improve".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    """

    _FITTED = 1e-7

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)
        self._loss = float("inf")

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        tracker = trainer._metric_tracker
        add_metrics = tracker.add_metrics

        def with_ties(metrics: Dict[str, float]) -> None:
            if tracker.combined_score(metrics) == tracker._best_so_far and self._loss >= self._FITTED:
                tracker._best_so_far = None
            add_metrics(metrics)

        tracker.add_metrics = with_ties

    def on_batch(
        self,
        trainer: Any,
        batch_inputs: Any,
        batch_outputs: Any,
        batch_metrics: Dict[str, Any],
        *args: Any,
        is_training: bool = True,
        **kwargs: Any,
    ) -> None:
        if is_training:
            self._loss = batch_metrics["loss"]
