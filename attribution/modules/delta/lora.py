"""Low-rank adaptation, by the PEFT library."""

from typing import List, Optional

from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_module import DeltaModule


@DeltaModule.register("lora")
class Lora(DeltaModule):
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
    target_modules : `List[str]`, optional
        Names of the linear layers to change, as PEFT takes them. By default those that PEFT knows for the
        architecture: queries and values.
    """

    def __init__(
        self,
        r: int = 16,
        alpha: Optional[float] = None,
        dropout: float = 0.0,
        target_modules: Optional[List[str]] = None,
    ) -> None:
        self.r = r
        self.alpha = 2.0 * r if alpha is None else alpha
        self.dropout = dropout
        self.target_modules = target_modules

    def inject(self, transformer: PreTrainedModel) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        if self.target_modules == []:
            raise ConfigurationError("lora: `target_modules` is empty; name at least one layer, or leave it out")
        config = LoraConfig(
            r=self.r,
            lora_alpha=self.alpha,  # type: ignore[arg-type]
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
        )
        try:
            inject_adapter_in_model(config, transformer)
        except (ValueError, KeyError) as error:
            raise ConfigurationError(f"lora: {error}") from error
