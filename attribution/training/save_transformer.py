"""The trained model as a Hugging Face folder, at the end of a training."""

from pathlib import Path
from typing import Any, Dict, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.training import TrainerCallback
from transformers.utils import IMAGE_PROCESSOR_NAME

from attribution.common.manifest import write_json
from attribution.data.prompt_tokenizer import load_tokenizer


@TrainerCallback.register("save_transformer")
class SaveTransformer(TrainerCallback):
    """
    Writes the model of the best epoch (of the last, without validation) and its tokenizer, or what is done to images,
    as `transformers` loads them: a `model_name` of other trainings, and of the encoders. A training that fails or is
    interrupted writes none.

    Registered as a `TrainerCallback` with name "save_transformer".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    folder : `str`, optional
        Where to. By default `transformer` in the training's own directory.
    """

    def __init__(self, serialization_dir: str, folder: Optional[str] = None) -> None:
        super().__init__(serialization_dir)
        self.folder = folder or str(Path(serialization_dir) / "transformer")

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        if getattr(trainer.model, "transformer", None) is None:
            raise ConfigurationError("save_transformer: the model has no transformer to save")
        if getattr(trainer.model, "delta", None) is not None:
            raise ConfigurationError("save_transformer: the model trains a delta; use the callback save_delta")

    def on_end(
        self,
        trainer: Any,
        metrics: Optional[Dict[str, Any]] = None,
        epoch: Optional[int] = None,
        is_primary: bool = True,
        **kwargs: Any,
    ) -> None:
        if metrics is not None and is_primary:
            trainer.model.transformer.save_pretrained(self.folder)
            if hasattr(trainer.model, "preprocessing"):
                write_json(Path(self.folder) / IMAGE_PROCESSOR_NAME, trainer.model.preprocessing)
            else:
                load_tokenizer(trainer.model.model_name).save_pretrained(self.folder)
