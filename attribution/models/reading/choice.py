"""Which way of reading prompts and options is right for a model, and the quickest of those."""

import inspect
import logging
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import torch
from allennlp.common.checks import ConfigurationError
from transformers import DynamicCache, PreTrainedModel

from attribution.common.pretrained import learned_positions
from attribution.common.steady import as_if_nothing_happened, short_chunks, varying_length
from attribution.data.fields import TokenIds, pad_token_ids
from attribution.models.reading.causal import PairByPair, SharedPrompt, WithinLimit, on_the_left
from attribution.models.reading.decoder_start import decoder_start
from attribution.models.reading.option_scoring import option_log_probs
from attribution.models.reading.reading import Reading
from attribution.models.reading.seq2seq import SharedEncoder
from attribution.models.reading.shared_keys_attention import shares_keys

logger = logging.getLogger(__name__)

# Of log-probabilities, times the largest of them: rounding is a hundred times less, a position off a hundred more.
_TOLERANCE = 1e-4
# Tokens of three prompts and of their options.
_LENGTHS = (3, 7, 3, *(5, 2), *(3, 1), *(2, 2))
# Of caches; the last is of a layer that takes the keys of another.
_PLAIN_LAYERS = ("DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer")


class Way(NamedTuple):
    """A way that may do."""

    name: str
    """For the log and the table of architectures."""
    make: Callable[[bool], Reading]
    """From `narrow` of `Reading`."""


def choose_reading(
    transformer: PreTrainedModel, model_name: str, virtual_tokens: int = 0, left_padding_limit: Optional[int] = None
) -> Reading:
    """
    The first of the ways, quick ones first, that gives the numbers of a plain pass over each prompt and option alone.
    Configuration, cache and signature say which may do; then a few prompts with two options each are read both ways.

    # Parameters

    virtual_tokens : `int`, optional (default = `0`)
        Positions before a text that something in the model (a prefix, a prompt) takes.
    left_padding_limit : `int`, optional
        Up to which length a decoder's texts may be padded on the left, where something in it (a prefix) sets a bound.

    # Raises

    `ConfigurationError`, with the reason, if the model sees the tokens that it is to predict, or no way gives these
    numbers.
    """
    with as_if_nothing_happened(transformer), short_chunks(transformer):
        try:
            if transformer.config.is_encoder_decoder:
                start = decoder_start(transformer)
                ways, check = _seq2seq_ways(transformer, start), _Check(transformer, start)
            else:
                ways, check = _causal_ways(transformer, virtual_tokens, left_padding_limit), _Check(transformer)
        except ConfigurationError as error:
            raise _refusal(transformer, model_name, str(error)) from error
        for number, way in enumerate(ways):
            for narrow in (True, False):
                reading = way.make(narrow)
                if check.passes(reading):
                    if number:
                        logger.warning(
                            "%s: options are read %s: %s would give a %s other scores",
                            model_name, way.name, ways[0].name, transformer.config.model_type,
                        )  # fmt: skip
                    reading.name = way.name
                    check.trains(reading, model_name)
                    return reading
    raise _refusal(transformer, model_name, f"{_NO_WAY} ({check.failure}); take another model")


_NO_WAY = "no way of reading options in batches gives the numbers of a plain pass"


def generates_padded(reading: Reading) -> bool:
    """
    Whether `generate` gives a prompt that is padded on the left the logits of the same prompt alone. It hides the mask
    of CTRL and the positions of RoCBert from them in transformers 4.
    """
    words = _plain_words(reading.transformer)
    texts = [words(0, 3), words(3, 7)]
    with as_if_nothing_happened(reading.transformer):
        alone = torch.cat([_generated_logits(reading, [text]) for text in texts])
        return _close(_generated_logits(reading, texts), alone)


def check_generates(reading: Reading, model_name: str) -> None:
    """
    # Raises

    `ConfigurationError` if `transformers` cannot write with this model.
    """
    start = getattr(reading, "start", None)
    settings = {} if start is None else {"decoder_start_token_id": start}
    text = torch.tensor([_plain_words(reading.transformer)(0, 3)], device=reading.transformer.device)
    with as_if_nothing_happened(reading.transformer):
        try:
            reading.generate(input_ids=text, attention_mask=torch.ones_like(text), **_TWO_TOKENS, **settings)
        except Exception as error:
            raise ConfigurationError(
                f"model_name {model_name}: transformers cannot write with a {reading.transformer.config.model_type} "
                f"model ({type(error).__name__}: {error}); leave `generation` out, or take another model"
            ) from error


_TWO_TOKENS: Dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "num_return_sequences": 1,
    "min_new_tokens": 2,
    "max_new_tokens": 2,
    "pad_token_id": 0,
}


def _generated_logits(reading: Reading, texts: List[List[int]]) -> torch.Tensor:
    """Of the two tokens behind each text. Shape: (texts, 2, vocabulary)."""
    device = reading.transformer.device
    token_ids, mask = on_the_left({name: tensor.to(device) for name, tensor in pad_token_ids(texts, 0).items()})
    output = reading.generate(
        input_ids=token_ids,
        attention_mask=mask.long(),
        output_logits=True,
        return_dict_in_generate=True,
        **_TWO_TOKENS,
    )
    return torch.stack(output.logits, dim=1)


def _causal_ways(transformer: Any, virtual_tokens: int, left_padding_limit: Optional[int]) -> List[Way]:
    positioned = "position_ids" in inspect.signature(transformer.forward).parameters
    apart = Way("pair by pair, by length", lambda narrow: PairByPair(transformer, narrow, apart=True))
    pairs = Way("pair by pair", lambda narrow: PairByPair(transformer, narrow, apart=False))
    ways = [pairs, apart]
    if _keeps_plain_keys(transformer):
        shared = Way("by shared prompts", lambda narrow: SharedPrompt(transformer, narrow, positioned))
        if not positioned:  # Then padding takes places, too, and there may be so many (MPT).
            shared = _within(learned_positions(transformer), virtual_tokens, shared, pairs)
        ways.insert(0, _within(left_padding_limit, 0, shared, pairs))
    limit = varying_length(transformer)
    return [_within(limit, virtual_tokens, way, apart) for way in ways[:-1]] + [apart]


def _within(limit: Optional[int], virtual_tokens: int, way: Way, beyond: Way) -> Way:
    if limit is None:
        return way
    return Way(way.name, lambda narrow: WithinLimit(limit - virtual_tokens, way.make(narrow), beyond.make(narrow)))


def _seq2seq_ways(transformer: Any, start: Optional[int]) -> List[Way]:
    if varying_length(transformer) is not None:
        raise ConfigurationError("its rotary frequencies change with the longest text of a batch")
    sharing = shares_keys(transformer.get_decoder())
    kinds = [
        ("by shared keys", True, True),
        ("by copied keys", True, False),
        ("by shared encoder states", False, False),
    ]
    if not sharing:
        kinds.pop(0)
    if _counts_expert_capacity(transformer):
        kinds = kinds[-1:]

    def way(name: str, cached: bool, sharing: bool, apart: bool) -> Way:
        return Way(name, lambda narrow: SharedEncoder(transformer, narrow, start, cached, sharing, apart))

    ways = [way(*kind, False) for kind in kinds]
    return ways + [way(f"{name}, prompts by length", cached, shared, True) for name, cached, shared in kinds]


def _keeps_plain_keys(transformer: Any) -> bool:
    """Whether the cache that the model makes for itself holds keys and values, and nothing else."""
    if getattr(transformer, "_is_stateful", False):
        return False
    try:
        layers = DynamicCache(config=transformer.config).layers
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return all(type(layer).__name__ in _PLAIN_LAYERS for layer in layers)


def _counts_expert_capacity(transformer: torch.nn.Module) -> bool:
    """
    Whether an expert takes so many tokens of a pass and no more (Switch), so that what a token gets depends on how
    many were read with it; of each text by itself, and the first ones first.

    # Raises

    `ConfigurationError` if it counts the tokens of the whole batch (NLLB-MoE with a `moe_eval_capacity_token_fraction`
    below 1).
    """
    counting = [module for module in transformer.modules() if hasattr(module, "expert_capacity")]
    fractions = [getattr(module, "moe_eval_capacity_token_fraction", None) for module in counting]
    if any(fraction is not None and fraction < 1 for fraction in fractions):
        raise ConfigurationError(
            "its experts' capacity is counted over the whole batch; set moe_eval_capacity_token_fraction to 1.0 in "
            "its config.json"
        )
    return any(fraction is None for fraction in fractions)


class _Check:
    """
    Prompts of equal and unequal length with two options each, and what a plain pass over each pair says of it. Two
    pairs are of equal length, too, so that texts have mates even where only such go together.
    """

    def __init__(self, transformer: Any, start: Optional[int] = None) -> None:
        self.transformer = transformer
        self.start = start
        self.failure = ""
        words = _plain_words(transformer)
        texts = [words(sum(_LENGTHS[:place]), length) for place, length in enumerate(_LENGTHS)]
        self.prompts, self.options = texts[:3], texts[3:]
        try:
            self.expected = [
                self._plain(self.prompts[number // 2], option) for number, option in enumerate(self.options)
            ]
            self._check_order()
        except ConfigurationError:
            raise
        except Exception as error:  # Whatever the class of the model raises for a text.
            raise ConfigurationError(f"transformers cannot read a text with it ({error})") from error

    def passes(self, reading: Reading) -> bool:
        try:
            found = torch.cat([*self._scores(reading), self._trained(reading)])
            expected = torch.cat([*self.expected, *self.expected[::2]])
            self.failure = f"log-probabilities {float((found - expected).abs().max()):.1e} apart"
            return _close(found, expected)
        except Exception as error:  # Whatever the class of the model raises: this way does not do for it.
            self.failure = f"{type(error).__name__}: {error}"
            logger.debug("%s does not do: %s", type(reading).__name__, self.failure)
            return False

    def trains(self, reading: Reading, model_name: str) -> None:
        """
        # Raises

        `ConfigurationError` if the model reads texts in evaluation only (Reformer wants whole chunks in training).
        """
        self.transformer.train()
        try:
            self._trained(reading)
        except Exception as error:
            reason = f"it cannot be trained on texts of any length ({error}); take another model"
            raise _refusal(self.transformer, model_name, reason) from error
        finally:
            self.transformer.eval()

    def _scores(self, reading: Reading) -> List[torch.Tensor]:
        options, counts = self._padded(self.options), torch.tensor([2, 2, 2], device=self.transformer.device)
        read = reading.read(self._padded(self.prompts), options)
        log_probs = option_log_probs(read, options, counts, 1 << 16)
        return [row[: len(option)] for row, option in zip(log_probs, self.options)]

    def _trained(self, reading: Reading) -> torch.Tensor:
        targets = self._padded(self.options[::2])
        logits = reading.target_logits(self._padded(self.prompts), targets)
        return _of(logits, targets["token_ids"][targets["mask"]])

    def _plain(self, prompt: List[int], option: List[int]) -> torch.Tensor:
        ids = torch.tensor(option, device=self.transformer.device)
        return _of(self._plain_logits(prompt, option), ids)

    def _plain_logits(self, prompt: List[int], option: List[int]) -> torch.Tensor:
        """Shape: (option tokens, vocabulary)."""
        if self.transformer.config.is_encoder_decoder:
            start = option[-1] if self.start is None else self.start
            inputs = {
                "input_ids": self._text(prompt),
                "decoder_input_ids": self._text([start, *option[:-1]]),
            }
            return self.transformer(**inputs, use_cache=False).logits[0]
        text = self._text(prompt + option)
        logits = self.transformer(input_ids=text, attention_mask=torch.ones_like(text), use_cache=False).logits
        return logits[0, len(prompt) - 1 : -1]

    def _check_order(self) -> None:
        """
        # Raises

        `ConfigurationError` if another last token changes what the tokens before it are predicted to be.
        """
        prompt, option, other = self.prompts[1], self.options[2], self.options[0][0]
        # One token further, so that the changed one is read.
        logits, changed = (
            self._plain_logits(prompt, [*option[:-1], last, option[0]])[: len(option)] for last in (option[-1], other)
        )
        if not _close(logits, changed):
            raise ConfigurationError(_NOT_CAUSAL + _causal_setting(self.transformer.config))

    def _text(self, ids: List[int]) -> torch.Tensor:
        return torch.tensor([ids], device=self.transformer.device)

    def _padded(self, texts: List[List[int]]) -> TokenIds:
        return {name: tensor.to(self.transformer.device) for name, tensor in pad_token_ids(texts, 0).items()}


_NOT_CAUSAL = "it sees the tokens that it is to predict, so its scores are no likelihoods"


def _causal_setting(config: Any) -> str:
    for setting in ("is_decoder", "causal"):
        if getattr(config, setting, None) is False:
            return f'; "{setting}": true in its config.json makes it read from left to right'
    return ""


def _plain_words(transformer: Any) -> Callable[[int, int], List[int]]:
    """(first, how many) -> token ids, none of them special, spread over the vocabulary."""
    config = transformer.config.get_text_config(decoder=True)
    size = min(transformer.get_input_embeddings().weight.size(0), getattr(config, "vocab_size", 2000))
    named = {getattr(config, name, None) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    usable = [number for number in range(3, min(size, 2000)) if number not in named]

    def words(first: int, count: int) -> List[int]:
        return [usable[(11 + 37 * place) % len(usable)] for place in range(first, first + count)]

    return words


def _of(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of these tokens. Shapes: (tokens, vocabulary), (tokens,)."""
    return logits.float().log_softmax(-1).gather(1, ids.unsqueeze(1)).squeeze(1)


def _close(found: torch.Tensor, expected: torch.Tensor) -> bool:
    scale = max(1.0, float(expected.abs().max()))
    return found.shape == expected.shape and bool(((found - expected).abs() <= _TOLERANCE * scale).all())


def _refusal(transformer: Any, model_name: str, reason: str) -> ConfigurationError:
    """A reason that says what would do instead has a semicolon before that."""
    if "; " not in reason:
        reason = f"{reason}; take another model"
    return ConfigurationError(
        f"model_name {model_name}: a {transformer.config.model_type} model cannot score options: {reason}"
    )
