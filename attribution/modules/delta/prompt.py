"""Prompt tuning: learned embeddings before the text's."""

from typing import Any, Dict, Tuple

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.modules.delta.delta_folder import Delta
from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_delta import peft_identity, task_type
from attribution.modules.delta.sublayers import freeze, stacks

_TENSOR = "prompt_embeddings"


@DeltaModule.register("prompt")
class Prompt(DeltaModule):
    """
    Prompt tuning (Lester et al., 2021, https://arxiv.org/abs/2104.08691): learned embeddings before the text's, in
    the encoder where there is one. The output is another from the start. Its folder is PEFT's.

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
        first: Any = stacks(transformer)[0]
        freeze(transformer)
        words = first.get_input_embeddings()
        embedding = torch.nn.Embedding(self.virtual_tokens, words.embedding_dim)
        if self.initialisation == "uniform":
            bound = words.embedding_dim**-0.5
            torch.nn.init.uniform_(embedding.weight, -bound, bound)
        else:
            drawn = torch.randint(0, words.num_embeddings, (self.virtual_tokens,), device=words.weight.device)
            embedding.weight.data = words(drawn).detach().clone()
        first.add_module("prompt_encoder", embedding)
        hooks = _PromptHooks(self.virtual_tokens)
        first.register_forward_pre_hook(hooks.before, with_kwargs=True)
        if transformer.config.is_encoder_decoder:
            transformer.get_decoder().register_forward_pre_hook(hooks.before_decoder, with_kwargs=True)
        else:
            first.register_forward_hook(hooks.after)

    def tensors(self, transformer: PreTrainedModel) -> Dict[str, torch.nn.Parameter]:
        return {_TENSOR: stacks(transformer)[0].prompt_encoder.weight}

    def adapter_config(self, transformer: PreTrainedModel) -> Dict[str, Any]:
        from peft import PromptTuningConfig

        decoder = transformer.get_decoder().config
        return PromptTuningConfig(
            num_virtual_tokens=self.virtual_tokens,
            num_layers=decoder.num_hidden_layers,
            num_attention_heads=decoder.num_attention_heads,
            token_dim=stacks(transformer)[0].get_input_embeddings().embedding_dim,
            num_transformer_submodules=1,
            task_type=task_type(transformer),
            inference_mode=True,
        ).to_dict()

    def identity(self, config: Dict[str, Any]) -> Dict[str, Any]:
        return peft_identity(config)

    def assign(self, transformer: PreTrainedModel, delta: Delta, folder: Any) -> None:
        """PEFT keeps, for an encoder-decoder, as many embeddings again, which it does not use."""
        tensors = dict(delta.tensors)
        if delta.config.get("num_transformer_submodules") == 2 and _TENSOR in tensors:
            tensors[_TENSOR] = tensors[_TENSOR][: self.virtual_tokens]
        super().assign(transformer, delta._replace(tensors=tensors), folder)


class _PromptHooks:
    """Around the stack that reads the text: it reads the virtual tokens first, and callers do not see them."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.added = False

    def before(self, stack: Any, arguments: Any, settings: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
        settings = {**settings, **dict(zip(("input_ids",), arguments))}
        cache, positions = settings.get("past_key_values"), settings.get("position_ids")
        self.added = cache is None or cache.get_seq_length() == 0
        settings.pop("cache_position", None)  # Of transformers 4, which counts it anew.
        if settings.get("attention_mask") is not None:
            settings["attention_mask"] = self._longer(settings["attention_mask"])
        if positions is not None:
            settings["position_ids"] = positions = positions + self.tokens
        if self.added:
            texts = settings.pop("inputs_embeds", None)
            ids = settings.pop("input_ids", None)
            texts = stack.get_input_embeddings()(ids) if texts is None else texts
            prompt = stack.prompt_encoder.weight.to(texts.dtype).expand(len(texts), -1, -1)
            settings["inputs_embeds"] = torch.cat([prompt, texts], dim=1)
            if positions is not None:
                before = torch.arange(self.tokens, device=positions.device).expand(len(positions), -1)
                settings["position_ids"] = torch.cat([before, positions], dim=1)
        return (), settings

    def before_decoder(self, _module: Any, arguments: Any, settings: Dict[str, Any]) -> Tuple[Any, Dict[str, Any]]:
        mask = settings.get("encoder_attention_mask")
        return arguments, settings if mask is None else {**settings, "encoder_attention_mask": self._longer(mask)}

    def after(self, _module: Any, _arguments: Any, output: Any) -> Any:
        if self.added:
            output["last_hidden_state"] = output["last_hidden_state"][:, self.tokens :]
        return output

    def _longer(self, mask: torch.Tensor) -> torch.Tensor:
        return F.pad(mask, (self.tokens, 0), value=1)
