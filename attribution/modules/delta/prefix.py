"""Prefix tuning: learned keys and values before the text's."""

from typing import Any, Dict, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_delta import peft_identity, task_type
from attribution.modules.delta.prefix_attention import PrefixEncoder, add_prefixes, key_shape
from attribution.modules.delta.sublayers import SELF_ATTENTION, find, freeze, stacks

_TENSOR = "prompt_embeddings"


@DeltaModule.register("prefix")
class Prefix(DeltaModule):
    """
    Prefix tuning (Li and Liang, 2021, https://arxiv.org/abs/2101.00190): every self-attention has keys and values of
    virtual tokens before those of the text, whose positions begin after them. The output is another from the start.

    Without `hidden_size` and `encoder` it is PEFT's prefix tuning, in the decoder, and its folder is PEFT's; of an
    encoder-decoder's parameters PEFT uses every second layer's, twice. With either the folder has the `peft_type`
    `PREFIX`, and every layer has its own.

    Registered as a `DeltaModule` with name "prefix".

    # Parameters

    num_virtual_tokens : `int`, optional (default = `30`)
        The prefix's length.
    hidden_size : `int`, optional
        The keys and values of a stack are made from an embedding, E: tanh(E W1) W2, with W1 of this width and no
        biases. 120 tokens and 24, with `encoder`, are 1,105,920 parameters on T5-v1.1-base (Lv et al., 2023).
    encoder : `bool`, optional (default = `False`)
        A prefix in the encoder of an encoder-decoder, too.
    std : `float`, optional (default = `0.02`)
        What is learned, or the embedding, starts from N(0, std).

    All others are those of `DeltaModule`.
    """

    def __init__(
        self,
        num_virtual_tokens: int = 30,
        hidden_size: Optional[int] = None,
        encoder: bool = False,
        std: float = 0.02,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_virtual_tokens < 1:
            raise ConfigurationError(f"prefix: num_virtual_tokens is {num_virtual_tokens}; it must be at least 1")
        self.virtual_tokens = num_virtual_tokens
        self.hidden_size = hidden_size
        self.encoder = encoder
        self.std = std
        self.is_pefts = hidden_size is None and not encoder

    def inject(self, transformer: PreTrainedModel) -> None:
        chosen = stacks(transformer)
        if self.encoder and len(chosen) == 1:
            raise ConfigurationError(f"prefix: a {type(transformer).__name__} has no encoder; leave `encoder` out")
        chosen = chosen if self.encoder else chosen[-1:]
        places = [[module for _, module in find(stack, SELF_ATTENTION, "prefix")] for stack in chosen]
        freeze(transformer)
        for stack, attentions in zip(chosen, places):
            width = stack.config.hidden_size
            shapes = [key_shape(attention) for attention in attentions]
            encoder = PrefixEncoder(shapes, self.virtual_tokens, self.hidden_size, width, std=self.std)
            stack.add_module("prefix_encoder", encoder)
            layers = None
            if self.is_pefts and transformer.config.is_encoder_decoder:
                # PEFT lays keys and values out for cross-attention, too, but leaves these out.
                layers = [2 * layer % len(shapes) for layer in range(len(shapes))]
            add_prefixes(attentions, encoder, positioned=True, layers=layers)
        _shift_positions(transformer, self.virtual_tokens)

    def tensors(self, transformer: PreTrainedModel) -> Dict[str, torch.nn.Parameter]:
        if not self.is_pefts:
            return super().tensors(transformer)
        return {_TENSOR: stacks(transformer)[-1].prefix_encoder.embedding.weight}

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        if not self.is_pefts:
            return {
                "peft_type": "PREFIX",
                "num_virtual_tokens": self.virtual_tokens,
                "hidden_size": self.hidden_size,
                "encoder": self.encoder,
            }
        from peft import PrefixTuningConfig

        encoder = stacks(transformer)[-1].prefix_encoder
        heads, size = encoder.shapes[0]
        return PrefixTuningConfig(
            num_virtual_tokens=self.virtual_tokens,
            num_layers=len(encoder.shapes),
            num_attention_heads=heads,
            token_dim=heads * size,
            encoder_hidden_size=heads * size,
            num_transformer_submodules=len(stacks(transformer)),
            task_type=task_type(transformer),
            inference_mode=True,
        ).to_dict()

    def identity(self, config: Dict[str, Any]) -> Dict[str, Any]:
        return peft_identity(config)


def _shift_positions(transformer: PreTrainedModel, tokens: int) -> None:
    """The text's positions, where the model learned or computes them, begin after the virtual tokens."""

    def shift_embedding(_module: Any, arguments: Any, settings: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
        return arguments, {**settings, "position_ids": settings["position_ids"] + tokens}

    def shift_model(_module: Any, arguments: Any, settings: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
        positions = settings.get("position_ids")
        if positions is None:
            text = next(
                value
                for value in (*arguments, settings.get("input_ids"), settings.get("inputs_embeds"))
                if value is not None
            )
            cache = settings.get("past_key_values")
            seen = 0 if cache is None else cache.get_seq_length()
            positions = torch.arange(seen, seen + text.size(1), device=text.device).unsqueeze(0)
        return arguments, {**settings, "position_ids": positions + tokens}

    if not transformer.config.is_encoder_decoder:
        transformer.base_model.register_forward_pre_hook(shift_model, with_kwargs=True)
    else:
        for name, module in transformer.get_decoder().named_modules():
            if name.rpartition(".")[2] == "embed_positions":
                module.register_forward_pre_hook(shift_embedding, with_kwargs=True)
