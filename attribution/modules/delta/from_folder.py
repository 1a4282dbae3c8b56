"""The delta module that a folder was written by."""

from pathlib import Path
from typing import Dict, Tuple, Union

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.delta_folder import read_delta_config
from attribution.modules.delta.delta_module import DeltaModule

# PEFT's methods: our name, and our settings by PEFT's.
_OF_PEFT: Dict[str, Tuple[str, Dict[str, str]]] = {
    "LORA": ("lora", {"r": "r", "lora_alpha": "alpha", "target_modules": "target_modules"}),
    "IA3": ("ia3", {"target_modules": "target_modules", "feedforward_modules": "feedforward_modules"}),
    "PREFIX_TUNING": ("prefix", {"num_virtual_tokens": "num_virtual_tokens"}),
    "PROMPT_TUNING": ("prompt", {"num_virtual_tokens": "num_virtual_tokens"}),
}


def delta_from_folder(
    folder: Union[str, Path], allow_pickle: bool = False, check_base_model: bool = True
) -> DeltaModule:
    """
    A module of the method and sizes of the delta in `folder`, which is its `weights`. A PEFT adapter with settings that
    no method here has is refused when it is loaded.

    # Raises

    `ConfigurationError`, naming the folder, if it is of a method that is not known.
    """
    config = read_delta_config(folder)
    method = config["peft_type"]
    if method in _OF_PEFT:
        name, names = _OF_PEFT[method]
        settings = {ours: config[theirs] for theirs, ours in names.items() if theirs in config}
    else:
        name = method.lower()
        settings = {key: value for key, value in config.items() if key not in ("peft_type", "base_model_name_or_path")}
    if name not in DeltaModule.list_available():
        raise ConfigurationError(f"{folder}: a delta of the method {method}, which is not known here")
    settings.update(type=name, weights=str(folder), allow_pickle=allow_pickle, check_base_model=check_base_model)
    try:
        return DeltaModule.from_params(Params(settings))
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(f"{folder}: {error}") from error


@DeltaModule.register("folder", constructor="read")
class FolderDelta(DeltaModule):
    """
    The delta in a folder, of whatever method and size it is. Archives of what was trained from it need the folder.

    Registered as a `DeltaModule` with name "folder".

    Parameters are those of `DeltaModule`; `weights` must be there.
    """

    @classmethod
    def read(cls, weights: str, allow_pickle: bool = False, check_base_model: bool = True) -> DeltaModule:
        """A module of the method."""
        return delta_from_folder(weights, allow_pickle, check_base_model)
