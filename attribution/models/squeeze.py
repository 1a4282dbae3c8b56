"""One task's way through a mixture of experts, as a model without experts."""

import re
from pathlib import Path
from typing import Any, Dict, NamedTuple, Union

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError
from transformers import PreTrainedModel

from attribution.data.prompt_tokenizer import load_tokenizer
from attribution.models.pretrained import load_transformer, untie
from attribution.models.task_moe import TaskMoESeq2Seq
from attribution.modules.delta.adapter import Houlsby
from attribution.modules.delta.delta_folder import PREFIX
from attribution.modules.delta.lora import Lora
from attribution.modules.moe import AdapterExperts, LoraExperts
from attribution.modules.moe.bottleneck_experts import BottleneckExperts
from attribution.modules.moe.routes import RoutedModule

WAYS = ("argmax", "average")

_EXPERT = re.compile(r"(.*)\.experts\.(\d+)(\..*)")


class _Bottleneck(NamedTuple):
    down: torch.Tensor
    """Shape: (size, inputs)"""
    up: torch.Tensor
    """Shape: (size, outputs)"""


def squeeze(model: TaskMoESeq2Seq, task: str, folder: Union[str, Path], way: str = "argmax") -> None:
    """
    Writes the model that `task` makes of a mixture: a Hugging Face folder or, of LoRA and adapter experts, the folder
    of a delta for the base model.

    # Parameters

    way : `str`, optional (default = `"argmax"`)
        `argmax`: of each layer the expert with the largest weight, as published; `average`: the experts' weights
        averaged by the route, which for LoRA and adapters is the very mixture.

    # Raises

    `ConfigurationError` if the task has no route.
    """
    if way not in WAYS:
        raise ConfigurationError(f"experts {way!r} is none of {', '.join(WAYS)}")
    # Shape: (layers, experts)
    routes = model.routes_of([task])[:, 0].cpu()
    if way == "argmax":
        routes = F.one_hot(routes.argmax(-1), routes.size(-1)).float()
    if isinstance(model.experts, (LoraExperts, AdapterExperts)):
        _write_delta(model, routes, folder)
    else:
        vanilla = _vanilla(model, squeezed_state(model.transformer, routes))
        vanilla.save_pretrained(folder)
        load_tokenizer(model.model_name).save_pretrained(folder)


def squeezed_state(transformer: torch.nn.Module, routes: torch.Tensor) -> Dict[str, torch.Tensor]:
    """
    The state dict of a vanilla transformer, from one with layers or feed-forward networks as experts.

    # Parameters

    routes : `torch.Tensor`
        Shape: (layers, experts)
    """
    layers = {name: module.layer for name, module in transformer.named_modules() if isinstance(module, RoutedModule)}
    state: Dict[str, torch.Tensor] = {}
    for name, tensor in transformer.state_dict().items():
        match = _EXPERT.fullmatch(name)
        if match is None:
            state[name] = tensor.cpu()
            continue
        before, expert, after = match.groups()
        weight = routes[layers[before], int(expert)]
        if weight > 0:
            part = tensor.cpu() if weight == 1 else weight * tensor.cpu()
            state[before + after] = state[before + after] + part if before + after in state else part
    return state


def _vanilla(model: TaskMoESeq2Seq, state: Dict[str, torch.Tensor]) -> PreTrainedModel:
    vanilla = load_transformer(model.model_name, encoder_decoder=True, random_weights=True)
    untie(vanilla, state)
    vanilla.load_state_dict(state)
    vanilla.generation_config = model.transformer.generation_config
    return vanilla.eval()


def _write_delta(model: TaskMoESeq2Seq, routes: torch.Tensor, folder: Union[str, Path]) -> None:
    alone = bool((routes == 1).any(-1).all())  # Otherwise of one size in all layers: that of all experts.
    found = {
        name.removesuffix(".expert"): _merged(module, routes[module.layer], alone)
        for name, module in model.transformer.named_modules()
        if isinstance(module, BottleneckExperts)
    }
    state = {name: tensor for name, tensor in model.transformer.state_dict().items() if ".expert." not in name}
    vanilla = _vanilla(model, state)
    size = len(next(iter(found.values())).down)
    experts: Any = model.experts
    delta: Any
    if isinstance(experts, LoraExperts):
        delta = Lora(r=size, alpha=experts.alpha / experts.size * size, target_modules=list(found))
        names = ("lora_A.weight", "lora_B.weight")
    else:
        delta = Houlsby(size=size, activation=experts.activation, target_modules=list(found))
        names = ("adapter.adapter_down.weight", "adapter.adapter_up.weight")
    delta.inject(vanilla)
    tensors = delta.tensors(vanilla)
    with torch.no_grad():
        for name, bottleneck in found.items():
            tensors[f"{PREFIX}{name}.{names[0]}"].copy_(bottleneck.down)
            tensors[f"{PREFIX}{name}.{names[1]}"].copy_(bottleneck.up.T)
    delta.save(vanilla, folder, model.model_name)


def _merged(module: BottleneckExperts, weights: torch.Tensor, alone: bool) -> _Bottleneck:
    """One expert, or all of them side by side."""
    down, up = module.down.detach().cpu(), module.up.detach().cpu()
    if alone:
        expert = int(weights.argmax())
        return _Bottleneck(down[expert], up[expert])
    return _Bottleneck(down.flatten(0, 1), (weights.view(-1, 1, 1) * up).flatten(0, 1))
