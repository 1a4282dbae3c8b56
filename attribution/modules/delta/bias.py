"""Bias terms alone."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.sublayers import find, freeze


@DeltaModule.register("bias")
class Bias(DeltaModule):
    """
    BitFit (Ben Zaken et al., 2022, https://arxiv.org/abs/2106.10199): only bias terms are trained.

    Registered as a `DeltaModule` with name "bias".

    # Parameters

    target_modules : `List[str]`, optional
        Names of the layers whose bias is trained. Those that have none (T5's, Llama's) get one, zero at first. By
        default all the biases that the model has.

    All others are those of `DeltaModule`.
    """

    def __init__(self, target_modules: Optional[List[str]] = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_modules = target_modules

    def inject(self, transformer: PreTrainedModel) -> None:
        if self.target_modules is None:
            layers: List[Any] = [
                module
                for module in transformer.modules()
                if isinstance(getattr(module, "bias", None), torch.nn.Parameter)
            ]
            if not layers:
                raise ConfigurationError(
                    f"bias: a {type(transformer).__name__} has no bias; name under `target_modules` the linear layers "
                    "to give one"
                )
        else:
            layers = [module for _, module in find(transformer, "", "bias", self.target_modules)]
            for layer in layers:
                if not hasattr(layer, "bias") or not hasattr(layer, "weight"):
                    raise ConfigurationError(f"bias: a {type(layer).__name__} takes no bias; name linear layers")
        freeze(transformer)
        for layer in layers:
            if layer.bias is None:
                layer.bias = torch.nn.Parameter(torch.zeros(layer.weight.size(0), device=layer.weight.device))
            layer.bias.requires_grad_(True)

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return {"peft_type": "BIAS", "target_modules": self.target_modules}
