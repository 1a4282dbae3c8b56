"""Prefixes in every attention and adapters beside every feed-forward layer."""

from typing import Any, Dict

from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.adapter import Parallel
from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.prefix_attention import PrefixEncoder, add_prefixes, key_shape
from attribution.modules.delta.sublayers import CROSS_ATTENTION, SELF_ATTENTION, find
from attribution.modules.delta.trial import Trial, at_random


@DeltaModule.register("mix_and_match")
class MixAndMatch(Parallel):
    """
    Mix-and-match (He et al., 2022, https://arxiv.org/abs/2110.04366), as DEFT has it: a prefix in every self- and
    cross-attention, made of one embedding, E, by tanh(E W1 + b1) W2 + b2, without position bias; and a `parallel`
    adapter beside every feed-forward sub-layer. DEFT's normalises what comes out of an adapter, which is noise of unit
    variance at first; here nothing does. The prefix makes the output another from the start.

    Registered as a `DeltaModule` with name "mix_and_match".

    # Parameters

    num_virtual_tokens : `int`, optional (default = `30`)
        The prefix's length.
    hidden_size : `int`, optional (default = `512`)
        The width of W1.
    layer_norms : `bool`, optional (default = `False`)
        Train the model's own layer normalisations, too, as DEFT does.

    All others are those of `Parallel`.
    """

    method = "mix_and_match"

    def __init__(
        self, num_virtual_tokens: int = 30, hidden_size: int = 512, layer_norms: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if num_virtual_tokens < 1 or hidden_size < 1:
            raise ConfigurationError(
                f"mix_and_match: num_virtual_tokens is {num_virtual_tokens}, hidden_size {hidden_size}; both must be "
                "at least 1"
            )
        self.num_virtual_tokens = num_virtual_tokens
        self.hidden_size = hidden_size
        self.layer_norms = layer_norms

    def inject(self, transformer: PreTrainedModel) -> None:
        places = find(transformer, f"{SELF_ATTENTION}|{CROSS_ATTENTION}", self.method)
        trial = Trial(transformer, self.method)
        before = trial.written()
        super().inject(transformer)
        try:
            attentions = [module for _, module in places]
            decoder: Any = transformer.get_decoder()
            encoder = PrefixEncoder(
                [key_shape(attention) for attention in attentions],
                self.num_virtual_tokens,
                self.hidden_size,
                decoder.config.hidden_size,
                bias=True,
                std=self.std,
            )
            decoder.add_module("prefix_encoder", encoder)
            add_prefixes(attentions, encoder, positioned=False)
        except ConfigurationError as error:
            raise trial.refused(f"takes no prefix in its attention ({error.message})") from error
        with at_random(encoder.embedding.weight):
            trial.check(before)
        if self.layer_norms:
            for module in transformer.modules():
                if "Norm" in type(module).__name__:
                    module.requires_grad_(True)

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return {
            **super().adapter_config(transformer),
            "num_virtual_tokens": self.num_virtual_tokens,
            "hidden_size": self.hidden_size,
            "layer_norms": self.layer_norms,
        }
