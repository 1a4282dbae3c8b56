"""Hugging Face models from a hub id, a local folder, or a configuration alone; weights without pickles."""

from pathlib import Path
from typing import Dict, List, Mapping

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.file_utils import cached_path
from allennlp.common.port import load_tensors
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    PreTrainedModel,
)

from attribution.common.pretrained import check_there, configuration_errors, load_pretrained


def load_transformer(model_name: str, encoder_decoder: bool, random_weights: bool = False) -> PreTrainedModel:
    """
    A language model in float32.

    # Parameters

    model_name : `str`
        A hub id or a local folder.
    encoder_decoder : `bool`
        The family that the caller can use.
    random_weights : `bool`, optional (default = `False`)
        Build it from its configuration alone, untrained.

    # Raises

    `ConfigurationError` if there is no such model, it is of the other family, its files cannot be read, or weights are
    not among them, the head's included.
    """
    check_there(model_name)
    try:
        config = AutoConfig.from_pretrained(model_name)
    except Exception as error:  # Of a damaged one also what the class of its model type happens to raise.
        raise ConfigurationError(f"model_name {model_name}: no model configuration there ({error})") from error
    if not config.is_encoder_decoder and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ConfigurationError(f"model_name {model_name}: a {config.model_type} model does not generate text")
    if bool(config.is_encoder_decoder) != encoder_decoder:
        found, other = ("an encoder-decoder", "seq2seq") if config.is_encoder_decoder else ("decoder-only", "causal_lm")
        raise ConfigurationError(
            f"model_name {model_name}: a {config.model_type} model is {found}; use the model type {other!r} for it"
        )
    auto_class = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    if random_weights:
        with configuration_errors(model_name, config):
            return auto_class.from_config(config).float()
    return load_pretrained(auto_class, model_name, config)


def enable_checkpointing(transformer: PreTrainedModel) -> None:
    """
    Recomputes activations in the backward pass, also where the weights below are frozen.

    # Raises

    `ConfigurationError` if the model's class in `transformers` does not know how.
    """
    # transformers 5 renamed it.
    newer = getattr(transformer, "activation_checkpointing_enable", None)
    try:
        (newer or transformer.gradient_checkpointing_enable)({"use_reentrant": False})
        transformer.enable_input_require_grads()
    except (ValueError, NotImplementedError) as error:
        raise ConfigurationError(
            f"gradient_checkpointing: transformers has none for a {transformer.config.model_type} model ({error}); "
            "leave it out, and use smaller batches with the trainer's num_gradient_accumulation_steps to save memory"
        ) from error


def load_weights(module: torch.nn.Module, path: str, setting: str) -> None:
    """
    Loads a state dict (`.th`, `.pt`, `.bin`: read without executing anything; or `.safetensors`) into a module. Names
    are the module's own, or its transformer's, as `save_pretrained` writes them.

    # Raises

    `ConfigurationError`, naming the file and the first names, where names or shapes differ.
    """
    state = load_tensors(_existing(path, setting), map_location="cpu")
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise ConfigurationError(f"{setting} {path}: not a state dict of tensors by name")
    own = module.state_dict(keep_vars=True)
    if not own.keys() & state.keys():  # GPT-2's own names begin with `transformer.`, too.
        state = {f"transformer.{name}": tensor for name, tensor in state.items()}
    load_state(module, state, f"{setting} {path}")


def load_state(module: torch.nn.Module, state: Mapping[str, torch.Tensor], where: str) -> None:
    """
    Loads a state dict, of which tied weights may lack all names but one.

    # Raises

    `ConfigurationError`, with `where` and the first names, where names or shapes differ.
    """
    untie(module, state)
    own = module.state_dict(keep_vars=True)
    other_shape = [
        f"{name} {tuple(tensor.shape)} instead of {tuple(own[name].shape)}"
        for name, tensor in state.items()
        if name in own and own[name].shape != tensor.shape
    ]
    given = {own[name].data_ptr() for name in state if name in own}
    missing = [name for name, tensor in own.items() if name not in state and tensor.data_ptr() not in given]
    unknown = [name for name in state if name not in own]
    for problem, names in (("have another shape", other_shape), ("are missing", missing), ("are unknown", unknown)):
        if names:
            raise ConfigurationError(
                f"{where}: {len(names)} of its tensors {problem}, the first: {', '.join(names[:3])}. "
                "The file must hold the weights of this very architecture."
            )
    module.load_state_dict(state, strict=False)


def untie(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """
    Gives parameters that are one here and several in `state` a tensor each, so that all of these can be loaded: a T5
    is built with its head tied to its embeddings whatever its configuration says, and many have a head of their own.
    """
    shared: Dict[int, List[str]] = {}
    for name, weight in module.named_parameters(remove_duplicate=False):
        shared.setdefault(id(weight), []).append(name)
    for names in shared.values():
        given = [name for name in names if name in state]
        for name in given[1:]:
            same = next((other for other in given[: given.index(name)] if _equal(state[name], state[other])), None)
            holder, _, own = name.rpartition(".")
            part = module.get_submodule(holder)
            if same is not None:
                setattr(part, own, module.get_parameter(same))
            else:
                weight = getattr(part, own)
                setattr(part, own, torch.nn.Parameter(weight.detach().clone(), weight.requires_grad))


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() or torch.equal(one, other)


def _existing(path: str, setting: str) -> Path:
    try:
        return Path(cached_path(path))
    except (FileNotFoundError, ValueError) as error:  # With a colon in it it may have been meant as a URL.
        raise ConfigurationError(f"{setting} {path}: no such file") from error
