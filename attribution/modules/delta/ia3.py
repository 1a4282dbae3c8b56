"""Learned scales of keys, values and inner activations, by the PEFT library."""

from typing import Any, List, Optional, Union

from transformers import PreTrainedModel

from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_delta import PeftDelta


@DeltaModule.register("ia3")
class IA3(PeftDelta):
    """
    (IA)^3 (Liu et al., 2022, https://arxiv.org/abs/2205.05638): keys, values and the inner activations of
    feed-forward layers are multiplied by learned vectors, which start at one.

    Registered as a `DeltaModule` with name "ia3".

    # Parameters

    target_modules : `Union[str, List[str]]`, optional
        Names of the linear layers whose output is scaled, or one regular expression, as PEFT takes them. By default,
        of a T5 with gated feed-forward layers `k`, `v` and `wi_1`, as published (T-Few; DEFT); of one without, `k`,
        `v` and the input of `wo`; of others what PEFT knows for them.
    feedforward_modules : `List[str]`, optional
        Which of them have their input scaled instead.

    All others are those of `DeltaModule`.
    """

    method = "ia3"

    def __init__(
        self,
        target_modules: Optional[Union[str, List[str]]] = None,
        feedforward_modules: Optional[List[str]] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(target_modules, **kwargs)
        self.feedforward_modules = feedforward_modules

    def peft_config(self, transformer: PreTrainedModel) -> Any:
        from peft import IA3Config

        targets, feedforward = self.target_modules, self.feedforward_modules
        if targets is None and any(name.endswith("DenseReluDense.wi_1") for name, _ in transformer.named_modules()):
            targets, feedforward = ["k", "v", "wi_1"], []
        elif targets is not None and feedforward is None:
            feedforward = []
        return IA3Config(target_modules=targets, feedforward_modules=feedforward)
