"""What a second training takes from the first: its router, and its tasks' vectors."""

from pathlib import Path
from typing import Dict

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import load_tensors
from allennlp.models.archival import extracted_archive, get_weights_path

from attribution.modules.moe import Router

_ROUTER = "router."


def stage_one_state(path: str) -> Dict[str, torch.Tensor]:
    """
    The weights of an archive, or of the directory of a training: of its best epoch.

    # Raises

    `ConfigurationError`, naming `path`, if there are none.
    """
    there = Path(path)
    if there.is_file():
        with extracted_archive(str(there)) as folder:
            return _weights(get_weights_path(folder), path)
    return _weights(get_weights_path(path), path)


def router_state(state: Dict[str, torch.Tensor], router: Router, where: str) -> Dict[str, torch.Tensor]:
    """
    The part of a model's state dict that is its router's.

    # Raises

    `ConfigurationError`, with `where` before it, if it is none of this very shape.
    """
    found = {name.removeprefix(_ROUTER): tensor for name, tensor in state.items() if name.startswith(_ROUTER)}
    wanted = router.state_dict()
    wrong = [name for name in {*found, *wanted} if name not in found or name not in wanted]
    wrong += [name for name in found if name in wanted and found[name].shape != wanted[name].shape]
    if wrong:
        name = min(wrong)
        shapes = [tuple(of[name].shape) if name in of else "missing" for of in (found, wanted)]
        raise ConfigurationError(
            f"{where}: its router is of another shape: {name} is {shapes[0]} there and {shapes[1]} here, for "
            f"{router.layers} layers of {router.experts} experts and task vectors of {router.input_size} numbers. The "
            "type of router, the experts, the vanilla layers and the task vectors must be those of stage one"
        )
    return found


def _weights(file: str, path: str) -> Dict[str, torch.Tensor]:
    if not Path(file).is_file():
        raise ConfigurationError(f"router_from {path}: no archive, and no directory of a finished training")
    return load_tensors(file, map_location="cpu")
