"""Which texts may share a batch: of most models any, of some those that need no padding, of a few none."""

import logging
from contextlib import contextmanager
from enum import Enum
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.steady import as_if_nothing_happened, forget_history, short_chunks, varying_length
from attribution.data.fields import pad_token_ids
from attribution.data.prompt_tokenizer import TokenIdLists

logger = logging.getLogger(__name__)

Read = Callable[[torch.Tensor, torch.Tensor], Sequence[torch.Tensor]]
"""Token ids and mask, (batch, length) each, to what a model makes of each text: its tokens' states, or a vector."""

SAMPLE = ["a text", "a text that is a little longer", "a text that is longer than both of the texts before it is"]
"""What the model is asked with."""

_TOLERANCE = 1e-4  # Rounding in float32 stays a hundred times below; a model that reads padding is far above.


class BatchMates(Enum):
    """With which others a text may be read."""

    ANY = "any"
    """Of other lengths, too: the shorter ones are padded."""
    EQUAL_LENGTH = "equal length"
    """Without padding: this model's vectors depend on it."""
    NONE = "none"
    """One text at a time: this model's vectors depend on the others in the batch."""


# Of what no short text tells: each a reason why a configuration's vectors cannot be had, and how to know it.
_REFUSED: Dict[str, Callable[[Any], bool]] = {
    "its attention hashes at random": lambda config: "lsh" in (getattr(config, "attn_layers", None) or ()),
}


def batch_mates(
    name: str,
    model: Any,
    config: Any,
    read: Read,
    texts: TokenIdLists,
    longest: int,
    pad_id: int,
    last_states: Optional[Read] = None,
) -> BatchMates:
    """
    Asks the model: some short texts alone and together, and its structure, where a short text cannot tell. Changes no
    random state. From then on the model forgets what it read (`forget_history`).

    # Parameters

    name : `str`
        What errors begin with.
    model : `Any`
        Loaded, in float32.
    config : `Any`
        Its configuration.
    read : `Read`
        How it is used.
    texts : `TokenIdLists`
        Short ones of different lengths, the longest last: `SAMPLE`, as the model gets it.
    longest : `int`
        The most tokens that a text may have.
    pad_id : `int`
    last_states : `Read`, optional
        The same for the states of the last layer. With it the model is asked, too, whether it looks at a text's other
        tokens: MRA's attention gives zeros where it finds no kernel for it.

    # Raises

    `ConfigurationError` if a text's vector depends on more than the text, whatever is in its batch, or there is none.
    """
    for reason, applies in _REFUSED.items():
        if applies(config):
            raise _refusal(name, config, reason)
    forget_history(model)
    needs_equal_length = _beyond_short_texts(model, config, longest)
    texts = [ids or [pad_id] for ids in texts]
    asked = _Asked(model, read, pad_id)
    with _undisturbed(model):
        try:
            alone = asked.alone(texts)
            again = asked.alone(texts[:1])  # After longer ones.
            blind = last_states is not None and asked.is_blind(last_states, texts[-1])
        except ConfigurationError:
            raise
        except Exception as error:  # Whatever its code trips over: a picture that is not there, a fixed length, ...
            raise _refusal(name, config, f"it does not read a text alone ({type(error).__name__}: {error})") from error
        if not _equal(again, alone):
            raise _refusal(name, config, "it gives a text another vector each time")
        if blind:
            raise _refusal(name, config, "its attention does nothing here: a token's state is the same in every text")
        found = asked.mates(texts, alone)
    if needs_equal_length and found is BatchMates.ANY:
        found = BatchMates.EQUAL_LENGTH
    if found is not BatchMates.ANY:
        kind = (
            "texts of equal length are read together"
            if found is BatchMates.EQUAL_LENGTH
            else "texts are read one by one"
        )
        logger.warning("%s: other texts in a batch would change a text's vector: %s", name, kind)
    return found


class _Asked:
    """A model, as it is used."""

    def __init__(self, model: Any, read: Read, pad_id: int) -> None:
        self.read = read
        self.pad_id = pad_id
        self.device = next(model.parameters()).device

    def alone(self, texts: TokenIdLists) -> List[torch.Tensor]:
        return [self._read([text], self.read)[0] for text in texts]

    def is_blind(self, last_states: Read, text: List[int]) -> bool:
        """Whether a text's last state is the same whatever comes before it, bit by bit."""
        other = text[:-1][::-1] + text[-1:]
        one, two = (self._read([ids], last_states)[0][-1] for ids in (text, other))
        return text != other and torch.equal(one, two)

    def mates(self, texts: TokenIdLists, alone: List[torch.Tensor]) -> BatchMates:
        if self._together([texts], [alone]):
            return BatchMates.ANY
        # Each beside another text of its length: itself, shifted.
        pairs = [[text, text[1:] + text[:1]] for text in texts]
        return BatchMates.EQUAL_LENGTH if self._together(pairs, [[one] for one in alone]) else BatchMates.NONE

    def _together(self, batches: List[TokenIdLists], wanted: List[List[torch.Tensor]]) -> bool:
        """Whether the first texts of each batch are what they should be."""
        try:
            return all(_equal(self._read(batch, self.read), one) for batch, one in zip(batches, wanted))
        except Exception as error:  # Some read one text only, or say in their own ways that they need a padding token.
            logger.info("not together: %s", error)
            return False

    def _read(self, texts: TokenIdLists, read: Read) -> Sequence[torch.Tensor]:
        padded = pad_token_ids(texts, self.pad_id)
        return read(padded["token_ids"].to(self.device), padded["mask"].to(self.device))


@contextmanager
def _undisturbed(model: Any) -> Iterator[None]:
    """In evaluation, without gradients, experts with room for one token, short chunks; afterwards all is as it was."""
    rooms = [(module, name, room, least) for module in model.modules() for name, room, least in _rooms(module)]
    with as_if_nothing_happened(model), short_chunks(model):
        try:
            for module, name, _, least in rooms:
                setattr(module, name, least)
            yield
        finally:
            for module, name, room, _ in rooms:
                setattr(module, name, room)


def _rooms(module: Any) -> Iterator[Tuple[str, Any, Any]]:
    """Where experts take so many tokens of a call and no more (Switch, NLLB-MoE): setting, value, the least value."""
    capacity = getattr(module, "expert_capacity", None)
    if capacity is not None:
        yield "expert_capacity", capacity, 1
        share = getattr(module, "moe_eval_capacity_token_fraction", 1)
        if share < 1:
            yield "moe_eval_capacity_token_fraction", share, min(share, 1e-9)


def _equal(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> bool:
    """The first of some and the others, up to rounding, of which large states have more."""
    for one, other in zip(some, others):
        close = _TOLERANCE * max(1.0, float(other.abs().max()))
        if one.shape != other.shape or not torch.allclose(one, other, rtol=0, atol=close, equal_nan=True):
            return False
    return True


def _beyond_short_texts(model: Any, config: Any, longest: int) -> bool:
    """
    Whether texts up to this length must not be padded: a long one changes the rotations of its batch mates, or chunks
    are of a fixed length (Reformer).
    """
    limit = varying_length(model)
    return limit is not None and longest > limit or getattr(config, "local_attn_chunk_length", longest) < longest


def _refusal(name: str, config: Any, reason: str) -> ConfigurationError:
    kind = getattr(config, "model_type", "model without a model_type")
    return ConfigurationError(f"{name}: {kind} cannot serve: {reason}. Name another model")
