"""
Deltas as the published program for weight ensembling has them: its modules' names, shapes and formulas around a T5, and
its checkpoints.
"""

import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List

import torch
from transformers import AutoModelForSeq2SeqLM

from tests.modules.delta.slow_t5 import slow_t5

TOKENS, HIDDEN = 3, 5
"""Of a prefix."""
SIZE, RANK, ALPHA = 6, 4, 7
Tensors = Dict[str, torch.Tensor]


class _Drawn:
    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(3)

    def __call__(self, *shape: int) -> torch.Tensor:
        return 0.7 * torch.randn(shape, generator=self.generator)


def tensors(kind: str, folder: str) -> Tensors:
    """By the names in the program's state dict."""
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    config, drawn, found = model.config, _Drawn(), {}
    width = config.d_model
    for stack in ("encoder", "decoder"):
        if kind == "prefix":
            found[f"{stack}.prefix.prefix"] = drawn(TOKENS, width)
            found[f"{stack}.prefix.prefix_project.0.weight"] = drawn(HIDDEN, width)
            found[f"{stack}.prefix.prefix_project.2.weight"] = drawn(config.num_layers * width * 2, HIDDEN)
            continue
        for number, block in enumerate(getattr(model, stack).block):
            for part in range(len(block.layer)):
                place = f"{stack}.block.{number}.layer.{part}"
                if kind == "adapter":
                    found[f"{place}.adapter.adapter_A"] = drawn(width, SIZE)
                    found[f"{place}.adapter.adapter_B"] = drawn(SIZE, width)
                elif part < len(block.layer) - 1:
                    attention = "SelfAttention" if part == 0 else "EncDecAttention"
                    for name in ("q", "v"):
                        inner = config.num_heads * config.d_kv
                        found[f"{place}.{attention}.{name}.lora_A"] = drawn(width, RANK)
                        found[f"{place}.{attention}.{name}.lora_B"] = drawn(RANK, inner)
    return found


def save(kind: str, path: Path, content: Tensors, **changes: Any) -> Path:
    """A checkpoint of the program, with its optimiser, its arguments, and an object of its class of configurations."""
    module = ModuleType("configuration_t5")
    module.T5Config = type("T5Config", (), {"__module__": "configuration_t5"})  # type: ignore[attr-defined]
    config = module.T5Config()
    config.__dict__.update(d_model=16, torch_dtype=torch.float32, id2label={0: "LABEL_0"})
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    state = OrderedDict()
    state[kind] = content
    state["optimizer"], state["scheduler"] = optimizer.state_dict(), scheduler.state_dict()
    state["config"] = config
    state["args"] = {"tune_method": kind, "adapter_type": "houlsby", "lora_alpha": ALPHA, "valid_interval": None}
    state["current_state"] = {"epoch": 3, "num_updates": 700}
    state.update(changes)
    sys.modules["configuration_t5"] = module
    try:
        torch.save(state, path)
    finally:
        del sys.modules["configuration_t5"]
    return path


class _LoraLinear(torch.nn.Module):
    def __init__(self, linear: Any, down: torch.Tensor, up: torch.Tensor) -> None:
        super().__init__()
        self.linear, self.down, self.up = linear, down, up

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.linear(states) + ALPHA / RANK * states @ self.down @ self.up


@torch.no_grad()
def logits(kind: str, folder: str, content: Tensors, prompt: List[int], target: List[int]) -> torch.Tensor:
    """By the program's formulas, one text at a time."""
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    if kind == "lora":
        for name in {name.rpartition(".")[0] for name in content}:
            outer, _, last = name.rpartition(".")
            factors = (content[f"{name}.lora_A"], content[f"{name}.lora_B"])
            setattr(model.get_submodule(outer), last, _LoraLinear(model.get_submodule(name), *factors))
        return slow_t5(model, prompt, target)

    def after(place: str, output: torch.Tensor) -> torch.Tensor:
        down, up = (content[f"{place}.adapter.adapter_{name}"] for name in "AB")
        return output + torch.nn.functional.silu(output @ down) @ up

    if kind == "adapter":
        return slow_t5(model, prompt, target, after=after)
    made = {}
    for stack in ("encoder", "decoder"):
        embedding, down, up = (
            content[f"{stack}.prefix.{name}"]
            for name in ("prefix", "prefix_project.0.weight", "prefix_project.2.weight")
        )
        projected = torch.tanh(embedding @ down.T) @ up.T
        made[stack] = projected.reshape(model.config.num_layers, 2, model.config.num_heads, TOKENS, -1)

    def prefix(place: str) -> Any:
        stack, _, number, _, part = place.split(".")
        return tuple(made[stack][int(number)]) if part == "0" else None

    return slow_t5(model, prompt, target, prefix=prefix)
