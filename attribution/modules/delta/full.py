"""No delta: all weights."""

from typing import Any, Dict

from transformers import PreTrainedModel

from attribution.modules.delta.delta_module import DeltaModule


@DeltaModule.register("none")
class FullFineTuning(DeltaModule):
    """
    Trains all weights, so that a sweep can compare it with the other methods. Its "delta" is the model.

    Registered as a `DeltaModule` with name "none".

    Parameters are those of `DeltaModule`.
    """

    def inject(self, transformer: PreTrainedModel) -> None:
        """Leaves everything as it is."""

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return {"peft_type": "NONE"}
