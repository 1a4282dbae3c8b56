"""Models whose numbers depend on the texts before: made to forget them; and a look at a model that leaves no trace."""

import inspect
import logging
import random
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import torch

logger = logging.getLogger(__name__)


def forget_history(transformer: torch.nn.Module) -> None:
    """
    Makes a text's numbers independent of the texts that the model read before it, in place.

    - BigBird and BigBird-Pegasus attend fully to the texts after the first short one, for good; now always.
    - Rotary frequencies of the type `dynamic` stay where a long text has put them; now each pass sets its own.
    - RecurrentGemma, of transformers 4, goes on with the states of the last batch; now a text begins without.
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
        if hasattr(module, "_setup_cache") and _counts_places(module):
            module.register_forward_pre_hook(_reset_states, with_kwargs=True)


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


def _counts_places(module: Any) -> bool:
    """Whether a pass is told where it stands in a text, and not what came before: that is in the module."""
    parameters = inspect.signature(module.forward).parameters
    return "cache_position" in parameters and "input_ids" in parameters and "past_key_values" not in parameters


def _reset_states(module: Any, arguments: Any, settings: Dict[str, Any]) -> None:
    position = settings.get("cache_position")
    if position is None or int(position[0]) == 0:
        tokens = settings["input_ids"] if "input_ids" in settings else arguments[0]
        module._setup_cache(module.config, len(tokens), tokens.device, module.dtype)


@contextmanager
def as_if_nothing_happened(transformer: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients within; the modes and the random states of torch, numpy and Python after it."""
    training = [(module, module.training) for module in transformer.modules()]
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(range(torch.cuda.device_count())), torch.no_grad():
        transformer.eval()
        try:
            yield
        finally:
            for module, mode in training:
                module.training = mode
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def short_chunks(transformer: torch.nn.Module) -> Iterator[None]:
    """
    Within it Mamba-2 and its like scan a text in chunks of two tokens, so that short texts have several: Zamba-2's
    states, of transformers 4, depend on how many there are. The kernels of a GPU want longer ones.
    """
    chunked: List[Any] = [
        module
        for module in transformer.modules()
        if isinstance(getattr(module, "chunk_size", None), int) and _is_on_cpu(module)
    ]
    sizes = [module.chunk_size for module in chunked]
    try:
        for module in chunked:
            module.chunk_size = 2
        yield
    finally:
        for module, size in zip(chunked, sizes):
            module.chunk_size = size


def _is_on_cpu(module: torch.nn.Module) -> bool:
    return all(weight.device.type == "cpu" for weight in module.parameters())
