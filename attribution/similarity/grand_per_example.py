"""The norm of each example's gradient."""

from functools import partial
from typing import Any, Dict, Optional

from attribution.similarity.parts import GRANULARITIES, part_of
from attribution.similarity.per_example_gradients import gradient_norms
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import REDUCTIONS, PartScores, Source, TaskSimilarity, check_choice


@TaskSimilarity.register("grand_per_example")
class GraNdPerExample(TaskSimilarity):
    """
    The norm of the gradient of each example's loss (the mean over its answer's tokens) with respect to the delta (Paul
    et al., 2021, https://arxiv.org/abs/2107.07075), without dropout: the same whatever examples share a batch, and
    nothing is drawn. `grand` is how Lv et al. (2023) took it.

    Registered as a `TaskSimilarity` with name "grand_per_example".

    # Parameters

    granularity : `str`, optional (default = `"model"`)
        `model`, `block` or `layer`: the gradient with respect to the delta's parameters in each.
    reduction : `str`, optional (default = `"sum"`)
        `mean` over the target's examples, or their `sum`.
    """

    higher_is_better = False
    granularities = GRANULARITIES

    def __init__(self, granularity: str = "model", reduction: str = "sum") -> None:
        super().__init__(granularity)
        check_choice("reduction", reduction, REDUCTIONS)
        self.reduction = reduction

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert model is not None
        model.put(source.folder)
        totals: Dict[str, float] = {}
        examples = 0
        for batch in target.batches:
            norms = gradient_norms(model, batch, partial(part_of, granularity=self.granularity))
            for part, values in norms.items():
                totals[part] = totals.get(part, 0.0) + values.double().sum().item()
            examples += len(batch.prompts["mask"])
        return {part: total if self.reduction == "sum" else total / examples for part, total in totals.items()}
