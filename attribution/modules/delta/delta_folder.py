"""
A delta on disk, in PEFT's format: `adapter_config.json` beside `adapter_model.safetensors`.

Methods that PEFT does not have are kept in the same shape. `peft_type` is then the method's name here, in capitals,
with its settings beside it; tensors are named as PEFT names them, `base_model.model.` before the parameter's own name.

The head of the safetensors file says in `base_fingerprint` which weights the delta was tuned on.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple, Union

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import load_tensors, writing_beside
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLE = "adapter_model.bin"
PREFIX = "base_model.model."

_SAMPLED = 64

_NOTHING = type(None)
_TEXT, _PATTERNS = (str, _NOTHING), (dict, _NOTHING)
# What `adapter_config.json` says of what is used here; PEFT takes everything.
_KINDS: Dict[str, Tuple[type, ...]] = {
    **dict.fromkeys(("base_model_name_or_path", "revision", "task_type"), _TEXT),
    "bias": (bool, str, _NOTHING),  # Of PEFT's methods a text, of ours whether there is one.
    **dict.fromkeys(("rank_pattern", "alpha_pattern"), _PATTERNS),
    **dict.fromkeys(("target_modules", "modules_to_save", "feedforward_modules"), (str, list, _NOTHING)),
    "init_lora_weights": (bool, str, _NOTHING),
    "use_rslora": (bool,),
    "r": (int,),
    "lora_alpha": (int, float),
    "lora_dropout": (int, float),
    "num_virtual_tokens": (int, _NOTHING),
    "num_transformer_submodules": (int, _NOTHING),
    "num_layers": (int, _NOTHING),
    "token_dim": (int, _NOTHING),
}
_IN_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    _NOTHING: "null",
}


class Delta(NamedTuple):
    """What a folder holds."""

    config: Dict[str, Any]
    """`adapter_config.json`."""
    tensors: Dict[str, torch.Tensor]
    """By their names in the file."""
    base_fingerprint: Optional[str]
    """Of the weights it was tuned on; None if another program wrote it."""


def write_delta(
    folder: Union[str, Path],
    config: Mapping[str, Any],
    tensors: Mapping[str, torch.Tensor],
    base_fingerprint: Optional[str] = None,
) -> None:
    """
    Writes a delta into `folder`, which may hold other files. Its `adapter_config.json` comes last: a folder has it if,
    and only if, the delta is whole.
    """
    directory = Path(folder)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / CONFIG).unlink(missing_ok=True)
    # One entry at most: safetensors writes several in any order, and the same delta is to be the same bytes.
    metadata = {"base_fingerprint": base_fingerprint} if base_fingerprint else None
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in sorted(tensors.items())}
    with writing_beside(directory / WEIGHTS) as beside:
        save_file(copies, beside, metadata)
    with writing_beside(directory / CONFIG) as beside:
        Path(beside).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_delta(folder: Union[str, Path], allow_pickle: bool = False) -> Delta:
    """
    # Parameters

    allow_pickle : `bool`, optional (default = `False`)
        Read `adapter_model.bin`, which older programs wrote, where there is no safetensors file. Nothing in it is
        executed.

    # Raises

    `ConfigurationError`, naming the file, if one is missing, damaged, or a pickle.
    """
    directory = Path(folder)
    config = read_delta_config(directory)
    if (directory / WEIGHTS).is_file():
        tensors = load_tensors(directory / WEIGHTS)
        return Delta(config, tensors, _metadata(directory / WEIGHTS).get("base_fingerprint"))
    if not (directory / PICKLE).is_file():
        raise ConfigurationError(f"{directory}: has no {WEIGHTS}")
    if not allow_pickle:
        raise ConfigurationError(
            f"{directory}: has a pickle, {PICKLE}, and no {WEIGHTS}; save it with safetensors, or set `allow_pickle`"
        )
    tensors = load_tensors(directory / PICKLE, map_location="cpu")
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise ConfigurationError(f"{directory / PICKLE}: not tensors by name")
    return Delta(config, tensors, None)


def read_delta_config(folder: Union[str, Path]) -> Dict[str, Any]:
    """
    # Raises

    `ConfigurationError` if there is none, or it does not say what method it is.
    """
    path = Path(folder) / CONFIG
    if not path.is_file():
        raise ConfigurationError(f"{folder}: has no {CONFIG}; it is not the folder of a delta, or not a whole one")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not JSON ({error})") from error
    if not isinstance(config, dict) or not isinstance(config.get("peft_type"), str):
        raise ConfigurationError(f"{path}: does not name its method (`peft_type`)")
    for name, kinds in _KINDS.items():
        of_another = config.get(name) is None and config["peft_type"] != "LORA"  # As good as not there.
        if name in config and type(config[name]) not in kinds and not of_another:
            raise ConfigurationError(
                f"{path}: `{name}` is {config[name]!r:.60}; {' or '.join(map(_IN_WORDS.__getitem__, kinds))} is needed"
            )
    return config


def base_fingerprint(transformer: torch.nn.Module) -> str:
    """Of the frozen weights, from values all over each of them; the same whatever is injected beside them."""
    digest = hashlib.sha256()
    for name, weight in sorted(transformer.named_parameters()):
        if not weight.requires_grad:
            sample = weight.detach().flatten()[:: max(1, weight.numel() // _SAMPLED)].float().cpu()
            digest.update(f"{name.replace('.base_layer', '')} {tuple(weight.shape)}\n".encode())
            digest.update(sample.numpy().tobytes())
    return digest.hexdigest()


def _metadata(path: Path) -> Dict[str, str]:
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except SafetensorError as error:
        raise ConfigurationError(f"{path}: damaged ({error})") from error
