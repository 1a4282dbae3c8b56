"""Models whose numbers depend on the texts before: made to forget them; and a look at a model that leaves no trace."""

import logging
import random
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional

import numpy as np
import torch

logger = logging.getLogger(__name__)


def forget_history(transformer: torch.nn.Module) -> None:
    """
    Makes a text's numbers independent of the texts that the model read before it, in place.

    - BigBird and BigBird-Pegasus attend fully to the texts after the first short one, for good; now always.
    - Rotary frequencies of the type `dynamic` stay where a long text has put them; now each pass sets its own.
    """
    modules: List[Any] = list(transformer.modules())
    for module in modules:
        if getattr(module, "attention_type", None) == "block_sparse" and hasattr(module, "set_attention_type"):
            logger.warning(
                "a %s reads with full attention here: with block-sparse attention it would switch for good at its "
                "first short text",
                type(module).__name__,
            )
            module.set_attention_type("original_full")
        if "dynamic" in _rope_types(module) and hasattr(module, "original_max_seq_len"):
            module.register_forward_pre_hook(_reset_frequencies)


def varying_length(transformer: torch.nn.Module) -> Optional[int]:
    """
    The longest text whose rotary frequencies do not depend on its length, for models that scale them (`dynamic`,
    `longrope`) by the longest text of a batch; None where all are alike.
    """
    limits = [
        _rope_limit(module) for module in transformer.modules() if {"dynamic", "longrope"} & set(_rope_types(module))
    ]
    return min(limits, default=None)


def _rope_types(module: Any) -> Any:
    """One, or with layers of several types one of each."""
    types = getattr(module, "rope_type", None)
    if not hasattr(module, "config"):
        return ()
    return tuple(types.values()) if isinstance(types, dict) else (types,)


def _rope_limit(module: Any) -> int:
    config = module.config
    parameters = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    of_layers = [own for own in parameters.values() if isinstance(own, dict)] or [parameters]
    limits = [own.get("original_max_position_embeddings") for own in of_layers]
    limits += [getattr(config, "original_max_position_embeddings", None)]
    limits += [getattr(module, "original_max_seq_len", getattr(config, "max_position_embeddings", None))]
    return min(limit for limit in limits if limit)


def _reset_frequencies(module: Any, _arguments: Any) -> None:
    for name in [name for name in vars(module) if name.endswith("max_seq_len_cached")]:
        if getattr(module, name) > module.original_max_seq_len:
            setattr(module, name, module.original_max_seq_len)
            prefix = name.removesuffix("max_seq_len_cached")
            own = f"{prefix}inv_freq" if hasattr(module, f"{prefix}inv_freq") else "inv_freq"
            original = getattr(module, f"{prefix}original_inv_freq", None)
            if original is not None:
                setattr(module, own, original.to(getattr(module, own).device))


@contextmanager
def as_if_nothing_happened(transformer: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients within; the mode and the random states of torch, numpy and Python after it."""
    training, python, numpy = transformer.training, random.getstate(), np.random.get_state()
    with torch.random.fork_rng(range(torch.cuda.device_count())), torch.no_grad():
        transformer.eval()
        try:
            yield
        finally:
            transformer.train(training)
            random.setstate(python)
            np.random.set_state(numpy)
