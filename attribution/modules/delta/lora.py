"""Low-rank adaptation, by the PEFT library."""

from typing import Any, List, Optional, Union

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.default_modules import Found, queries_and_values
from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_delta import PeftDelta

_INITIALISATIONS = ("standard", "published")


@DeltaModule.register("lora")
class Lora(PeftDelta):
    """
    LoRA (Hu et al., 2022, https://arxiv.org/abs/2106.09685): W + (alpha / r) B A, with B starting at zero.

    Registered as a `DeltaModule` with name "lora".

    # Parameters

    r : `int`, optional (default = `16`)
        The rank.
    alpha : `float`, optional
        The scale's numerator; twice the rank if not given.
    dropout : `float`, optional (default = `0.0`)
        On the input of A.
    target_modules : `Union[str, List[str]]`, optional
        Names of the linear layers to change, or one regular expression, as PEFT takes them; `all-linear`: all but the
        head. By default those that PEFT has in its table for the architecture: queries and values, of most; of one
        that it does not have, queries and values by the names of layers, or all of a layer that makes queries, keys
        and values; of one without any of these, `all-linear`. The log says which.
    initialisation : `str`, optional (default = `"standard"`)
        Of A: `standard`, uniform within 1 / sqrt(its input's size); `published`, within 1 / sqrt(r), nine times that
        for rank 10 and 768 (Lv et al., 2023, who take r = 10 and alpha = 16).

    All others are those of `DeltaModule`.
    """

    method = "lora"

    def __init__(
        self,
        r: int = 16,
        alpha: Optional[float] = None,
        dropout: float = 0.0,
        target_modules: Optional[Union[str, List[str]]] = None,
        initialisation: str = "standard",
        **kwargs: Any,
    ) -> None:
        super().__init__(target_modules, **kwargs)
        if initialisation not in _INITIALISATIONS:
            raise ConfigurationError(
                f"lora: initialisation {initialisation!r} is none of {', '.join(_INITIALISATIONS)}"
            )
        self.r = r
        self.alpha = 2.0 * r if alpha is None else alpha
        self.dropout = dropout
        self.initialisation = initialisation

    def places(self, transformer: PreTrainedModel) -> Found:
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING

        return queries_and_values(transformer, TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING)

    def peft_config(self, places: Found) -> Any:
        from peft import LoraConfig

        return LoraConfig(
            r=self.r,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=places.targets,
        )

    def inject(self, transformer: PreTrainedModel) -> None:
        super().inject(transformer)
        if self.initialisation == "published":
            for name, weight in self.tensors(transformer).items():
                if "lora_A" in name:
                    torch.nn.init.uniform_(weight, -(self.r**-0.5), self.r**-0.5)
