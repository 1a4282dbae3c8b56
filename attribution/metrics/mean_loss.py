"""A loss over all rows, whatever batches they came in."""

from typing import Any, Dict, List, Tuple

import torch.distributed as dist
from allennlp.common.util import is_distributed
from allennlp.training.metrics.metric import Metric


class MeanLoss(Metric):
    """
    The sum of a loss's parts, each the mean over all that it was taken of (target tokens, rows), however these were put
    into batches. What is differentiated is the mean of a batch.

    Processes are added up when the metric is reset, as they are in `RankClassification`.
    """

    supports_distributed = True

    def __init__(self) -> None:
        self._totals: Dict[str, Tuple[float, int]] = {}

    def __call__(self, part: str, total: float, count: int) -> None:  # type: ignore[override]
        """
        # Parameters

        part : `str`
            Its name.
        total : `float`
            Of the batch.
        count : `int`
            How many things it is the total of.
        """
        before, counted = self._totals.get(part, (0.0, 0))
        if count:
            self._totals[part] = (before + total, counted + count)

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """`loss`, if there was one."""
        totals = self._of_all_processes() if reset and is_distributed() else [self._totals]
        loss = 0.0
        parts = sorted({part for one in totals for part in one})
        for part in parts:
            found = [one[part] for one in totals if part in one]
            loss += sum(total for total, _ in found) / sum(count for _, count in found)
        if reset:
            self.reset()
        return {"loss": loss} if parts else {}

    def reset(self) -> None:
        self._totals = {}

    def _of_all_processes(self) -> List[Dict[str, Tuple[float, int]]]:
        gathered: List[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(gathered, self._totals)
        return gathered
