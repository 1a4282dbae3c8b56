"""A PEFT adapter as its folder says it is: PEFT puts it into the model and loads it."""

import warnings
from pathlib import Path
from typing import Any, Dict, Union

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_folder import PREFIX, Delta, base_fingerprint, read_delta_config
from attribution.modules.delta.delta_kind import LAYERS_ALONE, filled_config, kind_of
from attribution.modules.delta.delta_module import DeltaModule, check_tensors
from attribution.modules.delta.peft_delta import task_type
from attribution.modules.delta.trial import first_line

_TASKS = (None, "CAUSAL_LM", "SEQ_2_SEQ_LM")


class PeftAdapter(DeltaModule):
    """
    The layers of a PEFT adapter, whatever its settings are.

    # Parameters

    weights : `str`
        Its folder.

    All others are those of `DeltaModule`.

    # Raises

    `ConfigurationError`, naming the folder, if it is of a method or has a setting that is not known here.
    """

    def __init__(self, weights: str, **kwargs: Any) -> None:
        super().__init__(weights=weights, **kwargs)
        config = read_delta_config(weights)
        method, task = config["peft_type"], config.get("task_type")
        if method not in LAYERS_ALONE:
            raise ConfigurationError(
                f"{weights}: a delta of PEFT's method {method} is not loaded here; where PEFT merges it into its base "
                "model, give that as `model_name`"
            )
        if task not in _TASKS:
            raise ConfigurationError(
                f"{weights}: tuned on a model with another head than one for text (`task_type` is {task})"
            )
        self.config = filled_config(config, weights)
        self.config.inference_mode = False
        self._fingerprint = ""

    def inject(self, transformer: PreTrainedModel) -> None:
        from peft import inject_adapter_in_model

        self._fingerprint = base_fingerprint(transformer.requires_grad_(False))
        try:
            inject_adapter_in_model(self.config, transformer)
        except Exception as error:  # Each method has its own.
            kind = transformer.config.model_type
            raise ConfigurationError(
                f"{self.weights}: PEFT does not put it into this {kind} model ({first_line(error)})"
            ) from error

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return {**self.config.to_dict(), "inference_mode": True, "task_type": task_type(transformer)}

    def fingerprint(self, transformer: PreTrainedModel) -> str:
        """As the base model was before: PEFT takes a part of it away for some ways to start."""
        return self._fingerprint

    def tensors(self, transformer: PreTrainedModel) -> Dict[str, torch.nn.Parameter]:
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(
            transformer, transformer.state_dict(keep_vars=True), save_embedding_layers=False
        )
        return {f"{PREFIX}{name.removeprefix(PREFIX)}": weight for name, weight in state.items()}

    def assign(self, transformer: PreTrainedModel, delta: Delta, folder: Union[str, Path]) -> None:
        from peft import set_peft_model_state_dict

        own, copies = self.tensors(transformer), kind_of(delta, folder).copies
        tensors = {
            name: tensor
            for name, tensor in delta.tensors.items()
            if name not in copies or not self._is_copy(transformer, name, tensor, folder)
        }
        check_tensors(
            folder,
            self.way_out,
            other_shape=[name for name, tensor in tensors.items() if name in own and own[name].shape != tensor.shape],
            infinite=[name for name, tensor in tensors.items() if not tensor.isfinite().all()],
        )
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result: Any = set_peft_model_state_dict(
                    transformer, {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
                )
        except (KeyError, RuntimeError) as error:
            raise ConfigurationError(f"{folder}: PEFT does not load it ({first_line(error)})") from error
        trained = {name for name, weight in transformer.named_parameters() if weight.requires_grad}
        check_tensors(
            folder, self.way_out, missing=sorted(trained & set(result.missing_keys)), unknown=result.unexpected_keys
        )

    def _is_copy(self, transformer: Any, name: str, tensor: torch.Tensor, folder: Union[str, Path]) -> bool:
        """Of the base model's embeddings, whose layer LoRA may have been put around."""
        weights = dict(transformer.named_parameters())
        short = name.removeprefix(PREFIX)
        own = weights.get(short, weights.get(f"{short.removesuffix('.weight')}.base_layer.weight"))
        if own is None:
            return False
        if own.shape != tensor.shape or not torch.equal(own.detach().cpu(), tensor.to(own.dtype)):
            raise ConfigurationError(
                f"{folder}: its {name} is not the base model's; it was tuned on a model with other embeddings, "
                "which is needed as `model_name`, or saved in another precision"
            )
        return True
