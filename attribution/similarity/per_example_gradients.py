"""The gradient of each example's loss with respect to a delta, for a batch at once where that is possible."""

from typing import Any, Callable, Dict, List, Set

import torch
import torch.nn.functional as F

from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import LabelledBatch

PartNorms = Dict[str, torch.Tensor]
"""The norms of the gradients, restricted to each part of the model. Shape: (batch,)"""


def gradient_norms(model: ResidentModel, batch: LabelledBatch, part_of: Callable[[str], str]) -> PartNorms:
    """
    ||dL_i/dw|| of each example i, L_i being the mean cross-entropy of its answer's tokens and w the delta. Where w is
    linear layers only (LoRA, adapters) one backward pass serves the batch; a delta of other parameters takes one for
    each example.

    # Parameters

    part_of : `Callable[[str], str]`
        From the name of a parameter to the part that it is counted in.
    """
    squares = _of_linear_layers(model, batch, part_of)
    if squares is None:
        examples = [_of_one(model, batch.example(number), part_of) for number in range(len(batch.prompts["mask"]))]
        squares = {part: torch.stack([example[part] for example in examples]) for part in examples[0]}
    return {part: square.sqrt() for part, square in squares.items()}


def _of_one(model: ResidentModel, example: LabelledBatch, part_of: Callable[[str], str]) -> Dict[str, torch.Tensor]:
    weights = model.tensors()
    gradients = torch.autograd.grad(
        F.cross_entropy(model.logits(example), example.labels), list(weights.values()), allow_unused=True
    )
    squares: Dict[str, torch.Tensor] = {}
    for name, gradient in zip(weights, gradients):
        square = torch.zeros((), device=model.device) if gradient is None else gradient.square().sum()
        part = part_of(name)
        squares[part] = squares.get(part, 0) + square
    return squares


def _of_linear_layers(model: ResidentModel, batch: LabelledBatch, part_of: Callable[[str], str]) -> Any:
    """None if the delta is not of linear layers that read (batch, length, width) alone. Shape of each: (batch,)"""
    names = {id(weight): name for name, weight in model.tensors().items()}
    layers = [
        layer
        for layer in model.transformer.modules()
        if isinstance(layer, torch.nn.Linear) and any(id(weight) in names for weight in layer.parameters(False))
    ]
    if {id(weight) for layer in layers for weight in layer.parameters(False)} != set(names):
        return None
    recorder = _Recorder(len(batch.prompts["mask"]))
    hooks = [layer.register_forward_hook(recorder.watch) for layer in layers]
    try:
        losses = F.cross_entropy(model.logits(batch), batch.labels, reduction="none")
        mask = batch.answers["mask"]
        per_token = losses.new_zeros(mask.shape).masked_scatter(mask, losses)
        if recorder.unknown:
            return None
        total = (per_token.sum(1) / mask.sum(1)).sum()
        torch.autograd.grad(total, recorder.outputs)
    finally:
        for hook in hooks:
            hook.remove()
    squares: Dict[str, torch.Tensor] = {}
    for name, gradient in recorder.gradients(names):
        part = part_of(name)
        squares[part] = squares.get(part, 0) + gradient.square().flatten(1).sum(1)
    return squares


class _Recorder:
    """What linear layers read, and the gradients of what they write."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.unknown: Set[torch.nn.Module] = set()
        self.outputs: List[torch.Tensor] = []
        self._by_weight: Dict[int, torch.Tensor] = {}

    def watch(self, layer: Any, arguments: Any, output: torch.Tensor) -> None:
        read = arguments[0].detach()
        if read.dim() != 3 or len(read) != self.batch_size:
            self.unknown.add(layer)
            return

        def add(gradient: torch.Tensor) -> None:
            self._add(layer.weight, torch.einsum("bto,bti->boi", gradient, read))
            if layer.bias is not None:
                self._add(layer.bias, gradient.sum(1))

        output.register_hook(add)
        self.outputs.append(output)

    def gradients(self, names: Dict[int, str]) -> Any:
        """(name, gradient of each example)."""
        return ((name, self._by_weight[weight]) for weight, name in names.items() if weight in self._by_weight)

    def _add(self, weight: torch.nn.Parameter, gradient: torch.Tensor) -> None:
        # A layer that is called twice has two gradients.
        before = self._by_weight.get(id(weight))
        self._by_weight[id(weight)] = gradient if before is None else before + gradient
