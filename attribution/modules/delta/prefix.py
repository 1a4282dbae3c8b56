"""Prefix tuning: learned keys and values before the text's."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_delta import task_type
from attribution.modules.delta.prefix_attention import PrefixEncoder, add_prefixes, key_shape
from attribution.modules.delta.prefix_cache import KeyShape, PrefixCache, cache_shapes
from attribution.modules.delta.sublayers import SELF_ATTENTION, find, freeze, stacks
from attribution.modules.delta.trial import Trial, at_random, pefts_logits, same

_TENSOR = "prompt_embeddings"
_NO_ENCODER = "a prefix without `encoder`"


@DeltaModule.register("prefix")
class Prefix(DeltaModule):
    """
    Prefix tuning (Li and Liang, 2021, https://arxiv.org/abs/2101.00190): every self-attention has keys and values of
    virtual tokens before those of the text, whose positions begin after them. The output is another from the start.

    Without `hidden_size` and `encoder` it is PEFT's prefix tuning, in the decoder, and its folder is PEFT's; of an
    encoder-decoder's parameters PEFT uses every second layer's, twice where both stacks have as many layers. With
    either the folder has the `peft_type` `PREFIX`, and every layer has its own.

    A decoder finds its prefix in the cache of keys and values, as PEFT has it: where attention slides, tokens beyond
    the window no longer see it. When the model is built, PEFT and this module read a few tokens with random virtual
    tokens: a model is refused that keeps no keys and values (of recurrent layers, for example), with which PEFT cannot
    do it, or of which the two make different logits. Padding before a text stands between it and its prefix: where
    the model counts it (a window that is shorter than the batch, MPT's distances), such a batch is refused.

    Registered as a `DeltaModule` with name "prefix".

    # Parameters

    num_virtual_tokens : `int`, optional (default = `30`)
        The prefix's length.
    hidden_size : `int`, optional
        The keys and values of a stack are made from an embedding, E: tanh(E W1) W2, with W1 of this width and no
        biases. 120 tokens and 24, with `encoder`, are 1,105,920 parameters on T5-v1.1-base (Lv et al., 2023).
    encoder : `bool`, optional (default = `False`)
        A prefix in the encoder of an encoder-decoder, too.
    legacy_layout : `bool`, optional (default = `False`)
        With `hidden_size`: as the published program reads tanh(E W1) W2, of shape (tokens, keys and values of all
        layers): as if it were (layers, keys and values, heads, tokens, head size). Of 120 tokens and twelve layers,
        layer l's are made of E's rows 10 l to 10 l + 9. For deltas that were tuned so, and to tune such ones.
    std : `float`, optional (default = `0.02`)
        What is learned, or the embedding, starts from N(0, std).

    All others are those of `DeltaModule`.
    """

    def __init__(
        self,
        num_virtual_tokens: int = 30,
        hidden_size: Optional[int] = None,
        encoder: bool = False,
        legacy_layout: bool = False,
        std: float = 0.02,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_virtual_tokens < 1:
            raise ConfigurationError(f"prefix: num_virtual_tokens is {num_virtual_tokens}; it must be at least 1")
        if legacy_layout and hidden_size is None:
            raise ConfigurationError("prefix: legacy_layout is a way to read what `hidden_size` makes; set that, too")
        self.virtual_tokens = num_virtual_tokens
        self.hidden_size = hidden_size
        self.encoder = encoder
        self.legacy_layout = legacy_layout
        self.std = std
        self.is_pefts = hidden_size is None and not encoder

    def inject(self, transformer: PreTrainedModel) -> None:
        if self.encoder and not transformer.config.is_encoder_decoder:
            raise ConfigurationError(f"prefix: a {type(transformer).__name__} has no encoder; leave `encoder` out")
        trial = Trial(transformer, "prefix")
        before = trial.written()
        shapes = cache_shapes(trial)
        freeze(transformer)
        decoder = transformer.config.get_text_config(decoder=True)
        layers = list(range(len(shapes)))
        if self.is_pefts:
            largest = max((shape for shape in shapes if shape is not None), key=lambda shape: shape[1])
            number = max(len(shapes), decoder.num_hidden_layers)  # Of an encoder-decoder PEFT takes the encoder's.
            encoder = self._add_encoder(stacks(transformer)[-1], decoder.hidden_size, [largest] * number)
            if transformer.config.is_encoder_decoder:
                # PEFT lays keys and values out for cross-attention, too, but leaves these out.
                layers = [2 * layer % number for layer in layers]
        else:
            own = [shape or (0, 0) for shape in shapes]
            encoder = self._add_encoder(stacks(transformer)[-1], decoder.hidden_size, own)
        with at_random(encoder.embedding.weight):
            expected = (
                pefts_logits(trial, self._pefts_config(transformer), encoder.embedding.weight)
                if self.is_pefts
                else None
            )
            cache = PrefixCache(encoder, layers, shapes)
            cache.add_to(transformer)
            logits = trial.check(before)
            if expected is not None and not same(logits, expected):
                raise trial.refused("makes something else of it than PEFT does")
            if not transformer.config.is_encoder_decoder:
                padded = trial.padded_logits()
                cache.mind_padding(transformer, always=padded is None or not same(padded, logits))
                if cache.window is not None:
                    self.left_padding_limit = max(0, cache.window - self.virtual_tokens)
            if self.encoder:
                self._inject_into_encoder(transformer, trial)

    def _pefts_config(self, transformer: PreTrainedModel) -> Any:
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
        )

    def _add_encoder(self, stack: torch.nn.Module, width: int, shapes: List[KeyShape]) -> PrefixEncoder:
        encoder = PrefixEncoder(
            shapes, self.virtual_tokens, self.hidden_size, width, std=self.std, legacy_layout=self.legacy_layout
        )
        stack.add_module("prefix_encoder", encoder)
        return encoder

    def _inject_into_encoder(self, transformer: PreTrainedModel, trial: Trial) -> None:
        stack = stacks(transformer)[0]
        try:
            attentions = [module for _, module in find(stack, SELF_ATTENTION, "prefix")]
            encoder = self._add_encoder(
                stack, stack.config.hidden_size, [key_shape(attention) for attention in attentions]
            )
            with trial.quiet():
                without = trial.logits()
            add_prefixes(attentions, encoder, positioned=True)
        except ConfigurationError as error:
            raise trial.refused(f"has an encoder that takes no prefix ({error.message})", _NO_ENCODER) from error
        with at_random(encoder.embedding.weight):
            if same(trial.check(None), without, 1e-6):
                raise trial.refused("does not read the prefix of its encoder", _NO_ENCODER)

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
                **({"legacy_layout": True} if self.legacy_layout else {}),
            }
        return self._pefts_config(transformer).to_dict()
