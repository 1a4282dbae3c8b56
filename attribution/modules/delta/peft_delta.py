"""Methods whose layers are the PEFT library's."""

from abc import abstractmethod
from typing import Any, Dict, List, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.default_modules import Found, log_places
from attribution.modules.delta.delta_folder import PREFIX
from attribution.modules.delta.delta_module import DeltaModule

_ADAPTER = "default"


class PeftDelta(DeltaModule):
    """
    Base of `lora` and `ia3`.

    # Parameters

    target_modules : `Union[str, List[str]]`, optional
        Names of the layers to change, or one regular expression, as PEFT takes them; `all-linear`: every linear layer
        but the head. What it is without them, each method says. The log says where the delta went.

    All others are those of `DeltaModule`.
    """

    method: str

    def __init__(self, target_modules: Optional[Union[str, List[str]]] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_modules = target_modules

    @abstractmethod
    def places(self, transformer: PreTrainedModel) -> Found:
        """Where it goes if there are no `target_modules`."""

    @abstractmethod
    def peft_config(self, places: Found) -> Any:
        """A `PeftConfig`."""

    def inject(self, transformer: PreTrainedModel) -> None:
        from peft import inject_adapter_in_model

        if self.target_modules == []:
            raise ConfigurationError(
                f"{self.method}: `target_modules` is empty; name at least one layer, or leave it out"
            )
        if self.target_modules is None:
            places = self.places(transformer)
        else:
            places = Found(self.target_modules, [], "`target_modules`")
        try:
            inject_adapter_in_model(self.peft_config(places), transformer)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{self.method}: {error} (a {transformer.config.model_type} model; `target_modules` names other layers)"
            ) from error
        log_places(self.method, transformer, self.tensors(transformer), places.why)

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        config: Any = transformer.peft_config[_ADAPTER]  # As PEFT filled it in: with the layers' names.
        return {**config.to_dict(), "inference_mode": True, "task_type": task_type(transformer)}

    def tensors(self, transformer: PreTrainedModel) -> Dict[str, torch.nn.Parameter]:
        return {
            PREFIX + ".".join(part for part in name.removeprefix(PREFIX).split(".") if part != _ADAPTER): weight
            for name, weight in super().tensors(transformer).items()
        }


def task_type(transformer: PreTrainedModel) -> str:
    """PEFT's name for the family of models."""
    return "SEQ_2_SEQ_LM" if transformer.config.is_encoder_decoder else "CAUSAL_LM"
