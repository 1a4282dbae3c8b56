"""A PEFT adapter as its folder says it is: PEFT puts it into the model and loads it."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any, Dict, Union

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_folder import PREFIX, Delta, base_fingerprint, read_delta_config
from attribution.modules.delta.delta_kind import filled_config
from attribution.modules.delta.delta_module import DeltaModule, check_tensors
from attribution.modules.delta.peft_delta import task_type
from attribution.modules.delta.trial import first_line

# PEFT's methods of which everything that a folder holds is trained, and which need nothing but their layers: no other
# arguments of the model, and no state beside it.
LOADED = {"BEFT", "BOFT", "C3A", "DEFT", "FOURIERFT", "GRALORA", "HIRA", "HRA", "IA3", "LN_TUNING", "LOHA", "LOKR"} | {
    *("LORA", "MISS", "OFT", "PEANUT", "TRAINABLE_TOKENS", "WAVEFT")
}

_ADAPTER = "default"


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
        method = config["peft_type"]
        if method not in LOADED:
            raise ConfigurationError(
                f"{weights}: a delta of PEFT's method {method} is not loaded here; where PEFT merges it into its base "
                "model, give that as `model_name`"
            )
        self.config = filled_config(config, weights)
        self.config.inference_mode = False
        known = {field.name for field in dataclasses.fields(self.config)}
        unknown = sorted(name for name, value in config.items() if value and name not in known)
        if unknown:
            raise ConfigurationError(
                f"{weights}: this version of PEFT does not know `{unknown[0]}`, and would leave it out; install the "
                f"one that wrote the adapter{_version(config)}"
            )
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

        own = self.tensors(transformer)
        tensors = {
            name: tensor
            for name, tensor in delta.tensors.items()
            if name in own or not self._is_copy(transformer, name, tensor, folder)
        }
        check_tensors(
            folder,
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
        check_tensors(folder, missing=sorted(trained & set(result.missing_keys)), unknown=result.unexpected_keys)

    def _is_copy(self, transformer: Any, name: str, tensor: torch.Tensor, folder: Union[str, Path]) -> bool:
        """Of the base model's embeddings, which PEFT keeps beside LoRA in these."""
        own = dict(transformer.named_parameters()).get(name.removeprefix(PREFIX))
        if own is None:
            return False
        if own.shape != tensor.shape or not torch.equal(own.detach().cpu(), tensor.to(own.dtype)):
            raise ConfigurationError(
                f"{folder}: its {name} is not the base model's; it was tuned on a model with other embeddings, and "
                "needs that one as `model_name`"
            )
        return True


def _version(config: Dict[str, Any]) -> str:
    return f" ({config['peft_version']})" if config.get("peft_version") else ""
