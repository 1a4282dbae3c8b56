"""Learned scales of keys, values and inner activations, by the PEFT library."""

from typing import Any, List, Optional, Union

from transformers import PreTrainedModel

from attribution.modules.delta.default_modules import Found, keys_values_and_feed_forward
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
        `v` and the input of `wo`; of others what PEFT has in its table, which is keys, values and the input of the
        last feed-forward layer for Llama, Mistral and BERT, but queries, values and that for BART, Gemma, GPT-J,
        GPT-Neo, Llama-4, Phi, Qwen2 and Qwen3, queries, keys and that for OPT, and all of a layer that makes queries,
        keys and values; of what PEFT does not have keys, values and that input by the names of layers. The log says
        which.
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

    def places(self, transformer: PreTrainedModel) -> Found:
        from peft.utils.constants import (
            TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
            TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
        )

        if any(name.endswith("DenseReluDense.wi_1") for name, _ in transformer.named_modules()):
            return Found(["k", "v", "wi_1"], [], "as published")
        return keys_values_and_feed_forward(
            transformer,
            TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
            TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
        )

    def peft_config(self, places: Found) -> Any:
        from peft import IA3Config

        feed_forward = places.feed_forward if self.feedforward_modules is None else self.feedforward_modules
        return IA3Config(target_modules=places.targets, feedforward_modules=feed_forward)
