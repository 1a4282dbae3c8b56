"""How a loaded model reads prompts and their answer options."""

import inspect
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from transformers import DynamicCache, PreTrainedModel

from attribution.data.fields import TokenIds


class ReadPrompts(NamedTuple):
    """A batch of prompts, ready for their options."""

    first_logits: Optional[torch.Tensor]
    """
    Logits of the first option token, where a prompt predicts it before any option is known; otherwise None, and
    options are read from their first token. Shape: (batch, vocabulary).
    """
    length: int
    """Positions of a prompt that every option attends to, padding included."""
    continue_with: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    """
    (rows (rows,), option tokens (rows x options, length), which of them to predict (rows x options, length)) -> logits
    (predicted tokens, vocabulary). Each row has the same number of options, and they stand together.
    """


class Reading(ABC):
    """
    Base of the ways in which a model can read prompts and options. All give the same numbers, those of a plain pass
    over each prompt and option alone; which of them do so for a model, and are quick, `choose_reading` finds out.

    # Parameters

    transformer : `PreTrainedModel`
    narrow : `bool`
        Whether the model's head can be given the positions that are wanted and no others.
    """

    def __init__(self, transformer: PreTrainedModel, narrow: bool) -> None:
        self.transformer: Any = transformer
        self.narrow = narrow
        # Switch and NLLB-MoE of transformers 4 would have the encoder's, too.
        routed = "output_router_logits" in inspect.signature(transformer.forward).parameters
        self._settings: Dict[str, Any] = {"output_router_logits": False} if routed else {}

    name = ""
    """In words."""
    pads_prompts = False
    """Whether prompts of unequal length may be padded on the left."""
    one_pass = True
    """Whether `target_logits` runs the model once on the whole batch, row by row as it is."""

    @abstractmethod
    def read(self, prompts: TokenIds, options: TokenIds) -> ReadPrompts:
        """One pass over each prompt, shared by its options, where the model allows it."""

    @abstractmethod
    def target_logits(self, prompts: TokenIds, targets: TokenIds) -> torch.Tensor:
        """
        Teacher-forced logits of one target for each prompt. Shape: (target tokens, vocabulary).
        """

    def generate(self, **settings: Any) -> Any:
        """What `transformers`' own gives for these settings, prompts included."""
        configured = {**self.transformer.generation_config.to_dict(), **settings}
        own = self.for_generate()
        if configured.get("cache_implementation") is not None or configured.get("use_cache") is False:
            own.pop("past_key_values", None)  # Another cache is asked for, or none.
        return self.transformer.generate(**own, **settings)

    def for_generate(self) -> Dict[str, Any]:
        """What `generate` is given by default beside the prompts."""
        return {}

    def logits(self, positions: torch.Tensor, **inputs: Any) -> Tuple[torch.Tensor, Any]:
        """
        Logits where `positions` (bool, (batch, length)) is true, in row-major order, and the model's whole output.
        Shape: (true positions, vocabulary).
        """
        if not self.narrow:
            output = self.transformer(**inputs, **self._settings)
            return output.logits[positions], output
        with logits_at(self.transformer, positions):
            output = self.transformer(**inputs, **self._settings)
        return output.logits, output


@contextmanager
def logits_at(transformer: PreTrainedModel, positions: torch.Tensor) -> Iterator[None]:
    """
    Within it the model computes logits only where `positions` (bool, (batch, length)) is true, in row-major order:
    they come out with shape (true positions, vocabulary).
    """

    def keep(_module: torch.nn.Module, arguments: Tuple[Any, ...]) -> Tuple[torch.Tensor]:
        return (arguments[0][positions],)

    hook = transformer.get_output_embeddings().register_forward_pre_hook(keep)
    try:
        yield
    finally:
        hook.remove()


def selected(cache: Any, rows: torch.Tensor) -> DynamicCache:
    """A cache with the given rows of the batch, in that order, each as often as it is named."""
    chosen = DynamicCache()
    for number, layer in enumerate(cache.layers):
        if len(rows) == len(layer.keys) and bool((rows == torch.arange(len(rows), device=rows.device)).all()):
            keys, values = layer.keys, layer.values
        else:
            keys, values = layer.keys.index_select(0, rows), layer.values.index_select(0, rows)
        chosen.update(keys, values, number)
    return chosen


def by_length(lengths: Sequence[int]) -> List[List[int]]:
    """The places of texts of equal length together, short ones first."""
    places: Dict[int, List[int]] = {}
    for place, length in enumerate(lengths):
        places.setdefault(length, []).append(place)
    return [places[length] for length in sorted(places)]
