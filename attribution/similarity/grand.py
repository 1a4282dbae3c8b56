"""The norm of the gradient of a batch's loss, with dropout."""

from contextlib import nullcontext
from typing import Any, Dict, Optional

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError

from attribution.similarity.parts import GRANULARITIES, part_of
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import LabelledBatch, TargetTask
from attribution.similarity.task_similarity import REDUCTIONS, PartScores, Source, TaskSimilarity, check_choice


@TaskSimilarity.register("grand")
class GraNd(TaskSimilarity):
    """
    The norm of the gradient of a batch's loss (the mean over its answers' tokens) with respect to the delta, with
    dropout, summed over the batches: how Lv et al. (2023) took GraNd (Paul et al., 2021,
    https://arxiv.org/abs/2107.07075), with a softmax temperature of 10 and about 50 examples of each target. Examples
    share a batch in the order of the file. GraNd itself, of single examples and without dropout, is
    `grand_per_example`.

    Registered as a `TaskSimilarity` with name "grand".

    # Parameters

    granularity : `str`, optional (default = `"model"`)
        `model`, `block` or `layer`: the gradient with respect to the delta's parameters in each.
    reduction : `str`, optional (default = `"sum"`)
        `mean` over the batches, or their `sum`.
    batch_size : `int`, optional
        Examples a batch. By default 5, by block or layer 10, as published.
    dropout : `bool`, optional (default = `True`)
        Whether the model is in training mode, as published. All sources of all targets meet the same random numbers.
    seed : `int`, optional (default = `42`)
        Of these.
    """

    higher_is_better = False
    granularities = GRANULARITIES

    def __init__(
        self,
        granularity: str = "model",
        reduction: str = "sum",
        batch_size: Optional[int] = None,
        dropout: bool = True,
        seed: int = 42,
    ) -> None:
        super().__init__(granularity)
        check_choice("reduction", reduction, REDUCTIONS)
        if batch_size is not None and batch_size < 1:
            raise ConfigurationError(f"measure.batch_size is {batch_size}; at least one example is needed")
        self.reduction = reduction
        self.examples_a_batch = batch_size or (5 if granularity == "model" else 10)
        self.dropout = dropout
        self.seed = seed

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert model is not None
        model.put(source.folder)
        totals: Dict[str, float] = {}
        with model.dropout(self.seed) if self.dropout else nullcontext():
            for batch in target.batches:
                for part, norm in self._norms(model, batch).items():
                    totals[part] = totals.get(part, 0.0) + norm
        batches = len(target.batches)
        return {part: total if self.reduction == "sum" else total / batches for part, total in totals.items()}

    def _norms(self, model: ResidentModel, batch: LabelledBatch) -> Dict[str, float]:
        """By part."""
        weights = model.tensors()
        loss = F.cross_entropy(model.logits(batch), batch.labels)
        squares: Dict[str, torch.Tensor] = {}
        for name, gradient in zip(weights, torch.autograd.grad(loss, list(weights.values()), allow_unused=True)):
            part = part_of(name, self.granularity)
            square = torch.zeros(()) if gradient is None else gradient.double().square().sum()
            squares[part] = squares.get(part, 0) + square
        return {part: total.sqrt().item() for part, total in squares.items()}
