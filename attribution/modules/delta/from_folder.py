"""The delta module that a folder was written by."""

from pathlib import Path
from typing import Any, Dict, Union

from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.delta_folder import read_delta_config
from attribution.modules.delta.delta_kind import stacks_of
from attribution.modules.delta.delta_module import DeltaModule
from attribution.modules.delta.peft_adapter import PeftAdapter

# PEFT's virtual tokens are read by methods of this package.
_VIRTUAL_TOKENS = {
    "PREFIX_TUNING": "prefix",
    "PROMPT_TUNING": "prompt",
}


def delta_from_folder(
    folder: Union[str, Path], allow_pickle: bool = False, check_base_model: bool = True
) -> DeltaModule:
    """
    A module of the method and sizes of the delta in `folder`, which is its `weights`. A PEFT adapter is what PEFT makes
    of its configuration.

    # Raises

    `ConfigurationError`, naming the folder, if it is of a method that is not known.
    """
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING

    config = read_delta_config(folder)
    settings: Dict[str, Any]
    method = config["peft_type"]
    if method in _VIRTUAL_TOKENS:
        name, settings = _VIRTUAL_TOKENS[method], {"num_virtual_tokens": config.get("num_virtual_tokens")}
        if method == "PREFIX_TUNING" and config.get("task_type") == "SEQ_2_SEQ_LM" and stacks_of(config) == 1:
            raise ConfigurationError(
                f"{folder}: with `num_transformer_submodules` 1 PEFT puts its prefix, and what the decoder has read, "
                "into cross-attention, too, which is not done here; tune it without that setting"
            )
    elif method in PEFT_TYPE_TO_CONFIG_MAPPING:
        adapter = PeftAdapter(str(folder), allow_pickle=allow_pickle, check_base_model=check_base_model)
        adapter.way_out = ""
        return adapter
    else:
        name = method.lower()
        settings = {key: value for key, value in config.items() if key not in ("peft_type", "base_model_name_or_path")}
    if name not in DeltaModule.list_available() or not method.isupper():
        raise ConfigurationError(f"{folder}: a delta of the method {method}, which is not known here")
    settings.update(type=name, weights=str(folder), allow_pickle=allow_pickle, check_base_model=check_base_model)
    try:
        delta = DeltaModule.from_params(Params(settings))
    except (ConfigurationError, TypeError) as error:
        raise ConfigurationError(f"{folder}: {error}") from error
    delta.way_out = ""
    return delta


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
