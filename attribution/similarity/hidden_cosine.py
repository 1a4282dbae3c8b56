"""The cosine of hidden states."""

from typing import Any, Callable, Dict, Iterator, List, Optional

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.sublayers import ATTENTION_OUTPUT, FEED_FORWARD_OUTPUT, NamedModule, find, stacks
from attribution.similarity.parts import GRANULARITIES, part_of
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import LabelledBatch, TargetTask
from attribution.similarity.task_similarity import REDUCTIONS, PartScores, Source, TaskSimilarity, check_choice

HiddenStates = Dict[str, List[torch.Tensor]]
"""Of each part, those of each example, padding left out. Shape: (length, width)"""


@TaskSimilarity.register("hidden_cosine")
class HiddenCosine(TaskSimilarity):
    """
    cos(what a block puts out with the target's own delta, with the source's), each example's states as one vector (Lv
    et al., 2023). The first, of all the target's examples, are kept in memory: parts x tokens x width.

    Registered as a `TaskSimilarity` with name "hidden_cosine".

    # Parameters

    granularity : `str`, optional (default = `"block"`)
        A score for each `block`, or their mean (`model`); or for each sub-layer (`layer`), self-attention,
        cross-attention and feed-forward: what it adds to the states.
    reduction : `str`, optional (default = `"sum"`)
        `mean` over the target's examples, or their `sum`, as published.
    """

    higher_is_better = True
    granularities = GRANULARITIES
    own_folders = "target_deltas"

    def __init__(self, granularity: str = "block", reduction: str = "sum") -> None:
        super().__init__(granularity)
        check_choice("reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> List[HiddenStates]:
        assert model is not None and target.folder is not None
        model.put(target.folder)
        return [self._hidden_states(model, batch) for batch in target.batches]

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert model is not None
        model.put(source.folder)
        cosines: Dict[str, List[float]] = {}
        for batch, own in zip(target.batches, reference):
            for part, states in self._hidden_states(model, batch).items():
                pairs = zip(own[part], states)
                values = [F.cosine_similarity(one.flatten(), other.flatten(), dim=0) for one, other in pairs]
                cosines.setdefault(part, []).extend(torch.stack(values).tolist())
        scores = {
            part: sum(values) / (len(values) if self.reduction == "mean" else 1) for part, values in cosines.items()
        }
        return {"model": sum(scores.values()) / len(scores)} if self.granularity == "model" else scores

    def _hidden_states(self, model: ResidentModel, batch: LabelledBatch) -> HiddenStates:
        modules = _sublayers if self.granularity == "layer" else _blocks
        if model.reads_batches:
            return _outputs(model, batch, modules)
        alone = [_outputs(model, batch.example(number), modules) for number in range(len(batch.prompts["mask"]))]
        return {part: [states for example in alone for states in example[part]] for part in alone[0]}


@torch.no_grad()
def _outputs(
    model: ResidentModel, batch: LabelledBatch, modules: Callable[[Any, Any], Iterator[NamedModule]]
) -> HiddenStates:
    outputs: Dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _arguments: Any, output: Any) -> None:
            outputs[name] = output if isinstance(output, torch.Tensor) else output[0]

        return hook

    prompts, answers = (text["mask"].sum(1) for text in batch)
    # Shape of each: (batch,)
    lengths = [prompts, answers] if model.transformer.config.is_encoder_decoder else [prompts + answers]
    hooks, length_of = [], {}
    for stack, of_stack in zip(stacks(model.transformer), lengths):
        for name, module in modules(model.transformer, stack):
            hooks.append(module.register_forward_hook(keep(name)))
            length_of[name] = of_stack
    try:
        model.logits(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: _without_padding(states, length_of[name]) for name, states in outputs.items()}


def _without_padding(states: torch.Tensor, lengths: torch.Tensor) -> List[torch.Tensor]:
    virtual = states.size(1) - int(lengths.max())  # Tokens that prompt tuning put before the text.
    return [row[: virtual + length].float() for row, length in zip(states, lengths.tolist())]


def _blocks(transformer: Any, stack: Any) -> Iterator[NamedModule]:
    """The blocks of an encoder or a decoder: its outermost list of modules."""
    names = {module: name for name, module in transformer.named_modules()}
    for module in stack.modules():
        if isinstance(module, torch.nn.ModuleList):
            return ((names[block], block) for block in module)
    raise ConfigurationError(f"hidden_cosine: the blocks of a {type(transformer).__name__} are not known")


def _sublayers(transformer: Any, stack: Any) -> Iterator[NamedModule]:
    """The last linear layer of each: what comes out of it, with an adapter's part, is added to the states."""
    names = {module: name for name, module in transformer.named_modules()}
    for _, module in find(stack, f"{ATTENTION_OUTPUT}|{FEED_FORWARD_OUTPUT}", "hidden_cosine"):
        yield part_of(names[module], "layer"), module
