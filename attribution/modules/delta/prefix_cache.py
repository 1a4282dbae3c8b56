"""
Learned keys and values before those of the text, in the cache, as PEFT has them.

The model finds them in `past_key_values` and reads the text as a continuation of them, by its own code: positions,
position biases, windows and attention sinks are what the model makes of such a cache.
"""

import inspect
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.utils import ModelOutput

from attribution.modules.delta.prefix_attention import PrefixEncoder
from attribution.modules.delta.trial import Trial, first_line

KeyShape = Tuple[int, int]
"""(heads, head size)"""

# What versions and architectures of `transformers` call an attention's cache, its layer of that, what cross-attention
# reads, and how far a token sees in layers that slide.
_CACHES = ("past_key_values", "past_key_value", "layer_past")
_LAYERS = ("layer_idx", "layer_id")
_CROSS = ("key_value_states", "encoder_hidden_states")
_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size", "local_attention", "attention_window_size")


def cache_shapes(trial: Trial) -> List[Optional[KeyShape]]:
    """
    Of each layer of the model's cache; None for one that reads the keys of another.

    # Raises

    `ConfigurationError` if the model keeps something else, or keys and values of different sizes.
    """
    with trial.quiet():
        try:
            output = trial.read(use_cache=True)
        except Exception as error:
            raise trial.refused(f"does not keep keys and values ({first_line(error)})") from error
    cache = getattr(output, "past_key_values", None)
    layers = getattr(getattr(cache, "self_attention_cache", cache), "layers", None)
    if layers is None:
        raise trial.refused("keeps no keys and values, before which a prefix could stand")
    config = trial.transformer.config.get_text_config(decoder=True)
    keys_of_others = getattr(config, "num_kv_shared_layers", None) or 0
    shapes: List[Optional[KeyShape]] = []
    for number, layer in enumerate(layers):
        keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
        if keys is None or values is None:
            if number < len(layers) - keys_of_others:
                raise trial.refused(f"keeps no keys and values in layer {number}, which is recurrent")
            shapes.append(None)
        elif keys.dim() != 4 or keys.shape != values.shape or keys.size(2) != trial.text.size(1):
            raise trial.refused(
                f"keeps keys {tuple(keys.shape)} and values {tuple(values.shape)} of {trial.text.size(1)} tokens in "
                f"layer {number}; a prefix has as many of each, of one size"
            )
        else:
            shapes.append((keys.size(1), keys.size(3)))
    return shapes


class PrefixCache:
    """
    Hooks that give a model virtual tokens in its cache.

    A call with a cache that holds something goes on from one that began with them. Masks and positions are the text's
    alone, as callers know them.

    # Parameters

    encoder : `PrefixEncoder`
        The virtual tokens' keys and values.
    layers : `Sequence[int]`
        The encoder's layer for each layer of the model's cache.
    shapes : `Sequence[Optional[KeyShape]]`
        Of each layer of the model's cache: the first heads of what the encoder has, and their first numbers.
    """

    def __init__(self, encoder: PrefixEncoder, layers: Sequence[int], shapes: Sequence[Optional[KeyShape]]) -> None:
        self.encoder = encoder
        self.layers = list(layers)
        self.shapes = list(shapes)
        self.hooked: Set[int] = set()
        self.unpaired: Set[int] = set()
        self.unasked = self.apart = False
        self.window: Optional[int] = None

    def add_to(self, transformer: PreTrainedModel) -> None:
        self._names = list(inspect.signature(transformer.forward).parameters)
        transformer.register_forward_pre_hook(self._before_model, with_kwargs=True)
        transformer.register_forward_hook(self._after_model)
        stack: Any = transformer.get_decoder() if transformer.config.is_encoder_decoder else transformer
        for module, number in _attentions(stack):
            names = list(inspect.signature(module.forward).parameters)
            name = next(name for name in _CACHES if name in names)
            hook: Any = _BeforeAttention(self, transformer, number, names, name)
            module.register_forward_pre_hook(hook, with_kwargs=True)
            self.hooked.add(number)

    def mind_padding(self, transformer: PreTrainedModel, always: bool) -> None:
        """
        From now on padding before a text is refused where the model counts it between the virtual tokens and the text:
        in texts longer than its window, or always.
        """
        config = transformer.config.get_text_config(decoder=True)
        windows = [getattr(config, name, None) for name in _WINDOWS]
        self.window = 0 if always else min((size for size in windows if isinstance(size, int)), default=None)

    def fill(self, transformer: PreTrainedModel, cache: Optional[Any], batch_size: int, numbers: Sequence[int]) -> Any:
        """`cache`, which is empty, or a new one, with the virtual tokens of these layers."""
        if cache is None:
            cache = DynamicCache()
            if transformer.config.is_encoder_decoder:
                cache = EncoderDecoderCache(cache, DynamicCache())
        own = getattr(cache, "self_attention_cache", cache)
        for number in numbers:
            shape = self.shapes[number]
            if shape is not None:
                keys, values = (
                    states[..., : shape[0], :, : shape[1]].to(transformer.dtype).expand(batch_size, -1, -1, -1)
                    for states in self.encoder(self.layers[number])
                )
                own.update(keys, values, number)
        return cache

    def _before_model(
        self, transformer: Any, arguments: Any, settings: Dict[str, Any]
    ) -> Tuple[Tuple[()], Dict[str, Any]]:
        settings = {**settings, **dict(zip(self._names, arguments))}
        of_decoder = "decoder_" if transformer.config.is_encoder_decoder else ""
        cache, keeps = settings.get("past_key_values"), settings.get("use_cache")
        keeps = getattr(transformer.config, "use_cache", True) if keeps is None else keeps
        self.unasked = cache is None and not keeps
        if cache is None or cache.get_seq_length() == 0:
            names = (f"{of_decoder}input_ids", f"{of_decoder}inputs_embeds", "labels")
            text = next(settings[name] for name in names if settings.get(name) is not None)
            settings["past_key_values"] = self.fill(transformer, cache, len(text), range(len(self.layers)))
        mask = settings.get(f"{of_decoder}attention_mask")
        if mask is not None:
            self._check_padding(transformer, mask)
            seen = mask.new_ones(*mask.shape[:-1], self.encoder.tokens)
            settings[f"{of_decoder}attention_mask"] = torch.cat([seen, mask], dim=-1)
        for name in (f"{of_decoder}position_ids", "cache_position"):  # The latter of transformers 4.
            if settings.get(name) is not None:
                settings[name] = settings[name] + self.encoder.tokens
        modules = transformer.modules() if transformer.training else []
        self.apart = any(getattr(module, "gradient_checkpointing", False) for module in modules)
        if self.apart and not {number for number, shape in enumerate(self.shapes) if shape} <= self.hooked:
            raise ConfigurationError(
                f"gradient_checkpointing: a {transformer.config.model_type} model loses its prefix; leave it out"
            )
        return (), settings

    def _check_padding(self, transformer: Any, mask: torch.Tensor) -> None:
        if self.window is None or mask.dim() != 2 or self.encoder.tokens + mask.size(1) <= self.window:
            return
        if bool((mask[:, 1:] > mask[:, :-1]).any()):
            raise ConfigurationError(
                f"prefix: a {transformer.config.model_type} model counts the padding between a prefix and a text; give "
                "it texts of one length (`batch_size: 1`)"
            )

    def _after_model(self, _transformer: Any, _arguments: Any, output: Any) -> Any:
        if self.unasked and isinstance(output, ModelOutput):  # Who asked for no cache would go on from this one.
            return type(output)(**{name: value for name, value in output.items() if name != "past_key_values"})
        return output


class _BeforeAttention(NamedTuple):
    """
    With gradient checkpointing a layer is computed twice, and most lose the cache, as Whisper's do without
    `use_cache`: each gets one of its own each time. In a tuple torch does not count the modules once more.
    """

    prefix: PrefixCache
    transformer: PreTrainedModel
    number: int
    names: List[str]
    """Of the attention's arguments, `name` being its cache."""
    name: str

    def __call__(
        self, _attention: Any, arguments: Any, settings: Dict[str, Any]
    ) -> Optional[Tuple[Tuple[()], Dict[str, Any]]]:
        given = {**settings, **dict(zip(self.names, arguments))}
        if any(given.get(name) is not None for name in _CROSS):
            return ((), {**given, self.name: None}) if self.prefix.apart else None
        if given.get(self.name) is not None and not self.prefix.apart:
            if not isinstance(given[self.name], EncoderDecoderCache):
                self.prefix.unpaired.add(self.number)
            return None
        cache = self.prefix.fill(self.transformer, None, len(given[self.names[0]]), [self.number])
        unpaired = self.number in self.prefix.unpaired
        given[self.name] = getattr(cache, "self_attention_cache", cache) if unpaired else cache
        return (), given


def _attentions(stack: torch.nn.Module) -> List[Tuple[torch.nn.Module, int]]:
    """The innermost modules that know their layer of the cache, and that."""
    found = {}
    for module in stack.modules():
        number = next((getattr(module, name) for name in _LAYERS if isinstance(getattr(module, name, None), int)), None)
        if number is not None and not set(_CACHES).isdisjoint(inspect.signature(module.forward).parameters):
            found[id(module)] = (module, number)
    return [
        (module, number)
        for module, number in found.values()
        if sum(id(part) in found for part in module.modules()) == 1
    ]
