"""The gradient of each example's loss with respect to a delta, for a batch at once where that is possible."""

from functools import partial
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

import torch
import torch.nn.functional as F
from torch.func import functional_call, vjp, vmap

from attribution.modules.delta.prefix_attention import PrefixEncoder
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import LabelledBatch

PartNorms = Dict[str, torch.Tensor]
"""The norms of the gradients, restricted to each part of the model. Shape: (batch,)"""

_Gradients = Iterator[Tuple[torch.Tensor, torch.Tensor]]
"""(weight, its gradient of each example). Shape of the second: (batch, ...)"""


def gradient_norms(model: ResidentModel, batch: LabelledBatch, part_of: Callable[[str], str]) -> PartNorms:
    """
    The norms of `per_example_gradients`.

    # Parameters

    part_of : `Callable[[str], str]`
        From the name of a parameter to the part that it is counted in.
    """
    squares: Dict[str, List[torch.Tensor]] = {}
    for gradients in per_example_gradients(model, batch):
        totals: Dict[str, torch.Tensor] = {}
        for name, gradient in gradients.items():
            part = part_of(name)
            totals[part] = totals.get(part, 0) + gradient.square().flatten(1).sum(1)
        for part, total in totals.items():
            squares.setdefault(part, []).append(total)
    return {part: torch.cat(of_part).sqrt() for part, of_part in squares.items()}


def per_example_gradients(
    model: ResidentModel, batch: LabelledBatch, reduction: str = "mean", label_smoothing: float = 0.0
) -> Iterator[Dict[str, torch.Tensor]]:
    """
    dL_i/dw by w's name for each example i, L_i being the cross-entropy of its answer's tokens (their `mean` or `sum`,
    with label smoothing or without) and w the delta. One backward pass serves the batch where w is linear layers (LoRA,
    adapters), scales (IA3), prefixes, prompts or several of these: the gradients of what they put out are those of each
    example. Other parameters (`bias`, whose layers may be norms, and `none`, whose gradients of all examples would be
    as many models) take a pass for each example, and come one example after the other; so do those of a model that
    cannot read a padded batch.

    Shape of each: (examples, ...)
    """
    gradients = _of_batch(model, batch, reduction, label_smoothing) if model.reads_batches else None
    if gradients is not None:
        yield gradients
        return
    for number in range(len(batch.prompts["mask"])):
        yield _of_one(model, batch.example(number), reduction, label_smoothing)


def _of_one(
    model: ResidentModel, example: LabelledBatch, reduction: str, label_smoothing: float
) -> Dict[str, torch.Tensor]:
    weights = model.tensors()
    loss = F.cross_entropy(model.logits(example), example.labels, reduction=reduction, label_smoothing=label_smoothing)
    gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    return {
        name: (torch.zeros_like(weight) if gradient is None else gradient)[None]
        for (name, weight), gradient in zip(weights.items(), gradients)
    }


def _of_batch(
    model: ResidentModel, batch: LabelledBatch, reduction: str, label_smoothing: float
) -> Optional[Dict[str, torch.Tensor]]:
    """None if there are parameters whose gradients of each example it does not know."""
    weights = model.tensors()
    recorder = _Recorder(len(batch.prompts["mask"]), {id(weight) for weight in weights.values()})
    try:
        if not recorder.watch(model.transformer):
            return None
        losses = F.cross_entropy(model.logits(batch), batch.labels, reduction="none", label_smoothing=label_smoothing)
    finally:
        recorder.stop()
    if recorder.is_puzzled:
        return None
    mask = batch.answers["mask"]
    per_token = losses.new_zeros(mask.shape).masked_scatter(mask, losses)
    of_examples = per_token.sum(1) / mask.sum(1) if reduction == "mean" else per_token.sum(1)
    gradients = recorder.gradients(of_examples.sum())
    unused = losses.new_zeros(len(mask), 1)
    return {
        name: gradients[id(weight)] if id(weight) in gradients else unused.expand(-1, weight.numel())
        for name, weight in weights.items()
    }


class _Watched(NamedTuple):
    tensor: torch.Tensor
    """What depends on some parameters, with a batch dimension."""
    weight_gradients: Callable[[torch.Tensor], _Gradients]
    """From its gradient to theirs."""


class _Recorder:
    """
    Follows one forward pass.

    # Parameters

    batch_size : `int`
    wanted : `Set[int]`
        The `id` of each parameter whose gradients are looked for.
    """

    def __init__(self, batch_size: int, wanted: Set[int]) -> None:
        self.batch_size = batch_size
        self.wanted = wanted
        self.is_puzzled = False
        self._watched: List[_Watched] = []
        self._hooks: List[Any] = []

    def watch(self, transformer: Any) -> bool:
        """Whether each parameter is in a layer of a kind that it knows."""
        known: Set[int] = set()
        for layer in transformer.modules():
            if isinstance(layer, PrefixEncoder):
                self._hooks.append(layer.register_forward_hook(self._prefix))
                known.update(map(id, layer.parameters()))
            elif isinstance(getattr(layer, "prompt_encoder", None), torch.nn.Embedding):
                self._hooks.append(layer.register_forward_pre_hook(self._prompt, with_kwargs=True))
                known.add(id(layer.prompt_encoder.weight))
            elif hasattr(layer, "ia3_l"):
                scale = _Scale(self)
                self._hooks.append(layer.base_layer.register_forward_hook(scale.see_base))
                self._hooks.append(layer.register_forward_hook(scale.see_scaled))
                known.update(map(id, layer.ia3_l.values()))
            elif isinstance(layer, torch.nn.Linear):
                own = self.wanted.intersection(map(id, layer.parameters(False)))
                if own - known:  # A prefix encoder's are known before they come.
                    self._hooks.append(layer.register_forward_hook(self._linear))
                    known |= own
        return self.wanted <= known

    def stop(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def add(self, tensor: torch.Tensor, weight_gradients: Callable[[torch.Tensor], _Gradients]) -> None:
        self._watched.append(_Watched(tensor, weight_gradients))

    def gradients(self, total: torch.Tensor) -> Dict[int, torch.Tensor]:
        """By the parameters' `id`. Of one that is used twice, the sum."""
        found: Dict[int, torch.Tensor] = {}
        tensors = [tensor for tensor, _ in self._watched]
        for of_tensor, (_, weight_gradients) in zip(
            torch.autograd.grad(total, tensors, allow_unused=True), self._watched
        ):
            for weight, gradient in weight_gradients(of_tensor) if of_tensor is not None else ():
                before = found.get(id(weight))
                found[id(weight)] = gradient if before is None else before + gradient
        return found

    def _linear(self, layer: Any, arguments: Any, output: torch.Tensor) -> None:
        read = arguments[0].detach()
        if read.dim() != 3 or len(read) != self.batch_size:
            self.is_puzzled = True
            return
        wanted = self.wanted  # Not the recorder, which keeps the function: only a garbage collection would free both.

        def weight_gradients(gradient: torch.Tensor) -> _Gradients:
            if id(layer.weight) in wanted:
                yield layer.weight, torch.einsum("bto,bti->boi", gradient, read)
            if layer.bias is not None and id(layer.bias) in wanted:
                yield layer.bias, gradient.sum(1)

        self.add(output, weight_gradients)

    def _prefix(self, encoder: PrefixEncoder, arguments: Any, output: Any) -> Any:
        """In the place of keys and values for all examples, equal ones for each. Shape: (batch, heads, tokens, size)"""
        keys_values = torch.stack(output).detach()
        # Shape: (batch, 2, heads, tokens, size)
        of_each = keys_values.expand(self.batch_size, *keys_values.shape).clone().requires_grad_()
        parameters = dict(encoder.named_parameters())

        def weight_gradients(gradient: torch.Tensor) -> _Gradients:
            pull = vjp(lambda values: torch.stack(functional_call(encoder, values, arguments)), parameters)[1]
            [of_parameters] = vmap(pull)(gradient)
            return ((parameters[name], of_each_example) for name, of_each_example in of_parameters.items())

        self.add(of_each, weight_gradients)
        return of_each[:, 0], of_each[:, 1]

    def _prompt(self, stack: Any, _arguments: Any, settings: Dict[str, Any]) -> None:
        weight = stack.prompt_encoder.weight
        self.add(settings["inputs_embeds"], lambda gradient: iter([(weight, gradient[:, : len(weight)])]))


class _Scale:
    """An IA3 layer: what its base layer puts out, or reads, times a vector."""

    def __init__(self, recorder: _Recorder) -> None:
        self.recorder = recorder
        self.base_read = self.base_output = torch.empty(0)

    def see_base(self, _layer: Any, arguments: Any, output: torch.Tensor) -> None:
        self.base_read, self.base_output = arguments[0], output

    def see_scaled(self, layer: Any, arguments: Any, output: torch.Tensor) -> None:
        scaled, plain = (self.base_read, arguments[0]) if layer.is_feedforward else (output, self.base_output)
        self.recorder.add(scaled, partial(_of_scale, layer, plain.detach()))


def _of_scale(layer: Any, plain: torch.Tensor, gradient: torch.Tensor) -> _Gradients:
    [weight] = layer.ia3_l.values()
    yield weight, (gradient * plain).sum(1).view(-1, *weight.shape)
