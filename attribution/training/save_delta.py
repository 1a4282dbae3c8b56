"""The trained delta as a folder, at the end of a training."""

from typing import Any, Dict, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.training import TrainerCallback


@TrainerCallback.register("save_delta")
class SaveDelta(TrainerCallback):
    """
    Writes the delta of the best epoch (of the last, without validation) in PEFT's format. A training that fails or is
    interrupted writes none.

    Registered as a `TrainerCallback` with name "save_delta".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    folder : `str`, optional
        Where to. By default beside the archive, in the training's own directory: of many trainings below `deltas`,
        `deltas/*/` are the deltas.
    """

    def __init__(self, serialization_dir: str, folder: Optional[str] = None) -> None:
        super().__init__(serialization_dir)
        self.folder = folder or serialization_dir

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        if getattr(trainer.model, "delta", None) is None:
            raise ConfigurationError("save_delta: the model has no `delta` to save")

    def on_end(
        self,
        trainer: Any,
        metrics: Optional[Dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        if metrics is not None and is_primary:
            trainer.model.delta.save(trainer.model.transformer, self.folder, trainer.model.model_name)
