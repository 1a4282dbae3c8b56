"""Prompt tuning: learned embeddings before the text's."""

from typing import Any, Dict, Iterator, Optional, Tuple

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_folder import Delta
from attribution.modules.delta.delta_kind import stacks_of
from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_delta import task_type
from attribution.modules.delta.sublayers import freeze
from attribution.modules.delta.trial import Trial, at_random, pefts_logits, same

_TENSOR = "prompt_embeddings"
# What architectures call the state that they go on from.
_STATES = ("past_key_values", "cache_params", "state", "mems")


@DeltaModule.register("prompt")
class Prompt(DeltaModule):
    """
    Prompt tuning (Lester et al., 2021, https://arxiv.org/abs/2104.08691): learned embeddings before the text's, in
    the encoder where there is one. The output is another from the start. Its folder is PEFT's. When the model is built,
    PEFT and this module read a few tokens: one of which the two make different logits is refused.

    Registered as a `DeltaModule` with name "prompt".

    # Parameters

    num_virtual_tokens : `int`, optional (default = `100`)
        How many.
    initialisation : `str`, optional (default = `"vocabulary"`)
        `vocabulary`: the embeddings of tokens drawn at random; `uniform`: within 1 / sqrt(their size) (Lv et al.,
        2023).

    All others are those of `DeltaModule`.
    """

    def __init__(self, num_virtual_tokens: int = 100, initialisation: str = "vocabulary", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_virtual_tokens < 1:
            raise ConfigurationError(f"prompt: num_virtual_tokens is {num_virtual_tokens}; it must be at least 1")
        if initialisation not in ("vocabulary", "uniform"):
            raise ConfigurationError(f"prompt: initialisation {initialisation!r} is none of vocabulary, uniform")
        self.virtual_tokens = num_virtual_tokens
        self.initialisation = initialisation

    def inject(self, transformer: PreTrainedModel) -> None:
        trial = Trial(transformer, "prompt")
        before = trial.written()
        reader: Any = transformer.get_encoder() if transformer.config.is_encoder_decoder else trial.reader()
        freeze(transformer)
        words: Any = transformer.get_input_embeddings()
        embedding = torch.nn.Embedding(self.virtual_tokens, words.embedding_dim)
        if self.initialisation == "uniform":
            bound = words.embedding_dim**-0.5
            torch.nn.init.uniform_(embedding.weight, -bound, bound)
        else:
            drawn = torch.randint(0, words.num_embeddings, (self.virtual_tokens,), device=words.weight.device)
            embedding.weight.data = words(drawn).detach().clone()
        with at_random(embedding.weight):
            expected = pefts_logits(trial, self._pefts_config(transformer), embedding.weight)
            reader.add_module("prompt_encoder", embedding)
            hooks = _PromptHooks(self.virtual_tokens, words)
            reader.register_forward_pre_hook(hooks.before, with_kwargs=True)
            if transformer.config.is_encoder_decoder:
                transformer.get_decoder().register_forward_pre_hook(hooks.before_decoder, with_kwargs=True)
            else:
                reader.register_forward_hook(hooks.after)
            if not same(trial.check(before), expected):
                raise trial.refused("makes something else of it than PEFT does")

    def tensors(self, transformer: PreTrainedModel) -> Dict[str, torch.nn.Parameter]:
        readers: Iterator[Any] = transformer.modules()
        [encoder] = [reader.prompt_encoder for reader in readers if hasattr(reader, "prompt_encoder")]
        return {_TENSOR: encoder.weight}

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        return self._pefts_config(transformer).to_dict()

    def _pefts_config(self, transformer: PreTrainedModel) -> Any:
        from peft import PromptTuningConfig

        decoder = transformer.config.get_text_config(decoder=True)
        words: Any = transformer.get_input_embeddings()
        return PromptTuningConfig(
            num_virtual_tokens=self.virtual_tokens,
            num_layers=_number(decoder, "num_hidden_layers"),
            num_attention_heads=_number(decoder, "num_attention_heads"),
            token_dim=words.embedding_dim,
            num_transformer_submodules=1,
            task_type=task_type(transformer),
            inference_mode=True,
        )

    def assign(self, transformer: PreTrainedModel, delta: Delta, folder: Any) -> None:
        """PEFT keeps, for an encoder-decoder, as many embeddings again, which it does not use."""
        tensors = dict(delta.tensors)
        if stacks_of(delta.config) == 2 and _TENSOR in tensors:
            tensors[_TENSOR] = tensors[_TENSOR][: self.virtual_tokens]
        super().assign(transformer, delta._replace(tensors=tensors), folder)


class _PromptHooks:
    """
    Around the stack that reads the text: it reads the virtual tokens first, and callers do not see them. They stand
    right before the text, behind padding that comes first.
    """

    def __init__(self, tokens: int, words: Any) -> None:
        self.tokens = tokens
        self.words = (words,)  # In a tuple torch does not count it once more.
        self.added = False
        self.order: Optional[torch.Tensor] = None

    def before(self, stack: Any, arguments: Any, settings: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
        settings = {**settings, **dict(zip(("input_ids",), arguments))}
        positions = settings.get("position_ids")
        self.added = all(_is_empty(settings.get(name)) for name in _STATES)
        settings.pop("cache_position", None)  # Of transformers 4, which counts it anew.
        mask = settings.get("attention_mask")
        self.order = None if mask is None else self._order(mask)
        if mask is not None:
            settings["attention_mask"] = self._longer(mask, self.order)
        if positions is not None:
            settings["position_ids"] = positions = positions + self.tokens
        if self.added:
            texts = settings.pop("inputs_embeds", None)
            ids = settings.pop("input_ids", None)
            texts = self.words[0](ids) if texts is None else texts
            prompt = stack.prompt_encoder.weight.to(texts.dtype).expand(len(texts), -1, -1)
            settings["inputs_embeds"] = _ordered(torch.cat([prompt, texts], dim=1), self.order)
            if positions is not None:
                before = torch.arange(self.tokens, device=positions.device).expand(len(positions), -1)
                positions = torch.cat([before, positions], dim=1).expand(len(texts), -1)
                settings["position_ids"] = _ordered(positions, self.order)
        return (), settings

    def before_decoder(self, _module: Any, arguments: Any, settings: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
        mask = settings.get("encoder_attention_mask")
        if mask is not None:
            settings = {**settings, "encoder_attention_mask": self._longer(mask, self._order(mask))}
        return arguments, settings

    def after(self, _module: Any, _arguments: Any, output: Any) -> Any:
        if self.added:
            states = output[0]
            if self.order is not None:
                states = _ordered(states, self.order.argsort(1))
            states = states[:, self.tokens :]
            if isinstance(output, tuple):
                return (states, *output[1:])
            output["last_hidden_state"] = states
        return output

    def _order(self, mask: torch.Tensor) -> Optional[torch.Tensor]:
        """
        Where each position comes from, of virtual tokens and text; None: they follow each other in every row.
        Shape: (batch, virtual tokens + length).
        """
        # Shape: (batch, 1)
        padding = (mask.cumsum(1) == 0).sum(1, keepdim=True)
        if not bool(padding.any()):
            return None
        place = torch.arange(self.tokens + mask.size(1), device=mask.device).expand(len(mask), -1)
        virtual = torch.where(place < padding + self.tokens, place - padding, place)
        return torch.where(place < padding, place + self.tokens, virtual)

    def _longer(self, mask: torch.Tensor, order: Optional[torch.Tensor]) -> torch.Tensor:
        return _ordered(F.pad(mask, (self.tokens, 0), value=1), order)


def _is_empty(state: Any) -> bool:
    if state is None:
        return True
    try:
        return state.get_seq_length() == 0
    except (AttributeError, ValueError):  # No attention in it.
        parts = [value for layer in getattr(state, "layers", []) for value in vars(layer).values()]
        return hasattr(state, "layers") and not any(isinstance(part, torch.Tensor) for part in parts)


def _ordered(rows: torch.Tensor, order: Optional[torch.Tensor]) -> torch.Tensor:
    """Shape: (batch, length, ...)."""
    if order is None:
        return rows
    return rows.gather(1, order.view(*order.shape, *[1] * (rows.dim() - 2)).expand_as(rows))


def _number(config: Any, name: str) -> int:
    """What PEFT wants to know and does not use; 1 where there is none (state spaces), or one for each layer."""
    try:
        return getattr(config, name) or 1
    except Exception:  # `transformers` raises one of its own for those.
        return 1
