"""A model tried on a few tokens, before training: whether what was put into it acts, and acts where it should."""

import inspect
import warnings
from contextlib import contextmanager
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set

import torch
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.common.steady import as_if_nothing_happened

_LENGTH = 6
_WRITTEN = 2
"""Tokens of the text, and tokens that are written after it."""
_SAME = 1e-3
"""Of the largest logit: how far two ways to compute the same may be apart."""
_LEAKED = 1e-2
"""Of what a token changes at its own position: how much it may change before it, for rounding."""


class Written(NamedTuple):
    """The logits of tokens that were written one after the other. Shape of each: (tokens, vocabulary)."""

    with_cache: torch.Tensor
    """As they were written."""
    without: torch.Tensor
    """From one pass over the whole text."""


class Trial:
    """
    A short text for a model. Modes and random state are left as they were.

    # Raises

    `ConfigurationError`, with `method` before it, if the model does not read a text as language models do.
    """

    def __init__(self, transformer: PreTrainedModel, method: str, instead: str = "`lora` or `ia3`") -> None:
        self.transformer: Any = transformer
        self.method = method
        self.instead = instead
        words = transformer.get_input_embeddings()
        size = getattr(words, "num_embeddings", None) or transformer.config.get_text_config().vocab_size
        special = {value for name, value in _settings(transformer) if name.endswith(("token_id", "token_index"))}
        usual = [token for token in range(3, min(size, 3 + 4 * _LENGTH + len(special))) if token not in special]
        device = next(transformer.parameters()).device
        # Shape: (1, length)
        self.text = torch.tensor([usual[:_LENGTH]], device=device)
        self.changed_text = torch.tensor([[*usual[: _LENGTH - 1], usual[_LENGTH]]], device=device)
        with self.quiet():
            try:
                self.plain = self.logits()
            except Exception as error:
                raise self.refused(f"does not read plain text ({first_line(error)})") from error

    def refused(self, reason: str, instead: Optional[str] = None) -> ConfigurationError:
        kind = self.transformer.config.model_type
        return ConfigurationError(f"{self.method}: a {kind} model {reason}; take {instead or self.instead} instead")

    def quiet(self) -> ContextManager[None]:
        return as_if_nothing_happened(self.transformer)

    def read(self, text: Optional[torch.Tensor] = None, **settings: Any) -> Any:
        """The model's output. Of an encoder-decoder the decoder reads the text, too."""
        text = self.text if text is None else text
        if not self.transformer.config.is_encoder_decoder:
            return self.transformer(input_ids=text, attention_mask=torch.ones_like(text), **settings)
        return self.transformer(**self.encoded(), decoder_input_ids=text, **settings)

    def encoded(self) -> Dict[str, Any]:
        mask = torch.ones_like(self.text)
        encoded = self.transformer.get_encoder()(input_ids=self.text, attention_mask=mask)
        return {"encoder_outputs": encoded, "attention_mask": mask}

    def logits(self, text: Optional[torch.Tensor] = None) -> torch.Tensor:
        """Shape: (length, vocabulary)."""
        return self.read(text, use_cache=False).logits[0].float()

    def reader(self) -> torch.nn.Module:
        """The outermost part of a decoder that is handed token ids: `base_model`, but OPT calls its decoder itself."""
        called: List[torch.nn.Module] = []

        def note(module: torch.nn.Module, arguments: Any, settings: Dict[str, Any]) -> None:
            given = (*arguments[:1], settings.get("input_ids"))
            if any(isinstance(tensor, torch.Tensor) and tensor.shape == self.text.shape for tensor in given):
                called.append(module)

        parts = [part for part in self.transformer.modules() if part is not self.transformer]
        hooks = [
            part.register_forward_pre_hook(note, with_kwargs=True)
            for part in parts
            if part is not self.transformer.get_input_embeddings()
        ]
        try:
            with self.quiet():
                self.read(use_cache=False)
        finally:
            for hook in hooks:
                hook.remove()
        if not called:
            raise self.refused("hands its token ids to no part of it")
        return called[0]

    def reached(self, layers: Mapping[str, torch.nn.Module]) -> Set[str]:
        """The names of those that the text goes through and a gradient comes back to."""
        called: Set[str] = set()
        reached: Set[str] = set()
        words: List[torch.Tensor] = []

        def lift(_module: Any, _arguments: Any, output: Any) -> Any:
            if not isinstance(output, torch.Tensor):
                return output
            words.append(output.detach().requires_grad_())
            return words[-1].clone()

        def watch(name: str) -> Callable[..., Any]:
            def note(_module: Any, _arguments: Any, output: Any) -> Any:
                called.add(name)
                if not isinstance(output, torch.Tensor) or not output.requires_grad:
                    return output
                output.register_hook(lambda _gradient: reached.add(name))
                return output.clone()  # Some write into it.

            return note

        hooks = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
        for module in self.transformer.modules():
            if isinstance(module, torch.nn.Embedding):
                hooks.append(module.register_forward_hook(lift))
        try:
            with self.quiet(), torch.enable_grad():
                loss = self.read(use_cache=False).logits.float().pow(2).mean()
                torch.autograd.grad(loss, words, allow_unused=True)
        except (RuntimeError, AssertionError):  # RWKV and Reformer have gradients in training only.
            return called
        finally:
            for hook in hooks:
                hook.remove()
        return reached

    def padded_logits(self) -> Optional[torch.Tensor]:
        """
        Of the text behind some padding, of a decoder; None if it cannot read that. Shape: (length, vocabulary).
        """
        padding = torch.zeros_like(self.text)
        text = torch.cat([padding, self.text], dim=1)
        mask = torch.cat([padding, torch.ones_like(padding)], dim=1)
        settings = {"input_ids": text, "attention_mask": mask, "use_cache": False}
        if "position_ids" in inspect.signature(self.transformer.forward).parameters:
            settings["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        with self.quiet():
            try:
                return self.transformer(**settings).logits[0, padding.size(1) :].float()
            except Exception:
                return None

    def written(self) -> Optional[Written]:
        """None if the model does not write, whatever was put into it."""
        with self.quiet():
            try:
                return self._written()
            except Exception:
                return None

    def _written(self) -> Written:
        settings: Dict[str, Any] = {
            "max_new_tokens": _WRITTEN,
            "min_new_tokens": _WRITTEN,
            "do_sample": False,
            "num_beams": 1,
            "pad_token_id": 0,
            "return_dict_in_generate": True,
            "output_logits": True,
        }
        mask = torch.ones_like(self.text)
        if self.transformer.config.is_encoder_decoder:
            settings["decoder_input_ids"] = self.text
        written = self.transformer.generate(input_ids=self.text, attention_mask=mask, **settings)
        whole = self.logits(written.sequences[:, :-1])
        return Written(torch.cat(list(written.logits)).float(), whole[-_WRITTEN:])

    def check(self, before: Optional[Written]) -> torch.Tensor:
        """
        The model as it is now, with something in it that acts from the start.

        # Parameters

        before : `Written`, optional
            What the model wrote without it; None: its writing is not looked at.

        # Returns

        `torch.Tensor`
            The logits of the text. Shape: (length, vocabulary).

        # Raises

        `ConfigurationError` if it does not act, shows a token what comes after it, or acts otherwise while writing.
        """
        try:
            with self.quiet():
                logits, changed = self.logits(), self.logits(self.changed_text)
        except Exception as error:
            raise self.refused(f"cannot read a text with it ({first_line(error)})") from error
        if logits.shape != self.plain.shape or not logits.isfinite().all():
            raise self.refused("loses its text with it")
        if same(logits, self.plain, 1e-6):
            raise self.refused("does not read what it learns")
        there = (logits - changed).abs().amax(1)
        if there[:-1].max() > _LEAKED * there[-1]:
            raise self.refused("sees later tokens with it")
        if before is not None and same(before.with_cache, before.without):
            with self.quiet():
                try:
                    after = self._written()
                except Exception as error:
                    raise self.refused(f"cannot write with it ({first_line(error)})") from error
            if not same(after.with_cache, after.without):
                raise self.refused("reads what it writes otherwise than a text")
        return logits


def pefts_logits(trial: Trial, config: Any, prompt: torch.Tensor) -> torch.Tensor:
    """
    What PEFT's own model makes of the trial's text.

    # Parameters

    config : `PeftConfig`
    prompt : `torch.Tensor`
        What a folder has under `prompt_embeddings`.

    # Returns

    `torch.Tensor`
        Shape: (length, vocabulary).

    # Raises

    `ConfigurationError` if PEFT cannot do it.
    """
    from peft import get_peft_model

    trained = [(weight, weight.requires_grad) for weight in trial.transformer.parameters()]
    with trial.quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tuned: Any = get_peft_model(trial.transformer, config).eval()
            tuned.prompt_encoder["default"].embedding.weight.copy_(prompt)
            inputs = {"input_ids": trial.text, "attention_mask": torch.ones_like(trial.text)}
            if trial.transformer.config.is_encoder_decoder:
                inputs["decoder_input_ids"] = trial.text
            return tuned(**inputs).logits[0, -trial.text.size(1) :].float()
        except Exception as error:
            raise trial.refused(f"does not work with PEFT's own ({first_line(error)})") from error
        finally:
            for weight, requires_grad in trained:  # PEFT freezes all of them.
                weight.requires_grad_(requires_grad)


@contextmanager
def at_random(*weights: torch.Tensor, around: float = 0.0, std: float = 1.0) -> Iterator[None]:
    """Within it the weights are drawn from N(`around` times what they are, `std`): what they do shows."""
    before = [weight.detach().clone() for weight in weights]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in weights:
            weight.mul_(around).add_(torch.randn(weight.shape, generator=generator).to(weight), alpha=std)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, own in zip(weights, before):
                weight.copy_(own)


def same(one: torch.Tensor, other: torch.Tensor, tolerance: float = _SAME) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= tolerance * other.abs().max())


def _settings(transformer: PreTrainedModel) -> Any:
    return {**transformer.config.to_dict(), **transformer.config.get_text_config().to_dict()}.items()


def first_line(error: Exception) -> str:
    """Of what an error says, after its kind."""
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
