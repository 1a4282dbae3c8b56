"""How often the right answer option was ranked first."""

from typing import Dict, List

import torch
import torch.distributed as dist
from allennlp.common.util import is_distributed
from allennlp.training.metrics.metric import Metric


@Metric.register("rank_classification")
class RankClassification(Metric):
    """
    Accuracy, precision and recall of one option position, and F1 over all of them, from per-position counts. The
    number of positions is that of the row with the most options.

    Processes are added up when the metric is reset, at the end of an evaluation, and not at each batch: they may have
    different numbers of batches.

    Registered as a `Metric` with name "rank_classification".

    # Parameters

    relevant_label_index : `int`, optional (default = `0`)
        The option position that `precision` and `recall` are about.
    """

    def __init__(self, relevant_label_index: int = 0) -> None:
        self.relevant_label_index = relevant_label_index
        self.reset()

    def reset(self) -> None:
        # Shape: (3, positions): times right, times predicted, times gold, of each option position.
        self._counts = torch.zeros(3, self.relevant_label_index + 1, dtype=torch.int64)

    def __call__(  # type: ignore[override]
        self, predictions: torch.Tensor, gold_labels: torch.Tensor, num_options: torch.Tensor
    ) -> None:
        """
        # Parameters

        predictions, gold_labels, num_options : `torch.Tensor`
            Integers. Shape: (batch,).
        """
        choice = num_options > 1
        predictions, gold_labels = predictions[choice].cpu(), gold_labels[choice].cpu()
        self._grow(int(num_options.max()))
        size = self._counts.size(1)
        right = predictions[predictions == gold_labels]
        self._counts += torch.stack([right.bincount(minlength=size), *_bincounts([predictions, gold_labels], size)])

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """
        `accuracy`; `precision` and `recall` of the relevant position; `micro_f1` and `macro_f1` over positions. What
        is not defined (nothing predicted, say) is 0. Rows with a single option are not counted; there is nothing to
        tell where there are no others.
        """
        if reset and is_distributed():
            self._add_up_processes()
        right, predicted, gold = self._counts.double()
        precision, recall = _ratio(right, predicted), _ratio(right, gold)
        f1 = _ratio(2 * right, predicted + gold)
        at = self.relevant_label_index
        accuracy = float(_ratio(right.sum(), gold.sum()))
        # Every row has one prediction and one gold label: summed over positions, precision = recall = accuracy.
        metrics = {
            "accuracy": accuracy,
            "precision": float(precision[at]),
            "recall": float(recall[at]),
            "micro_f1": accuracy,
            "macro_f1": float(f1.mean()),
        }
        any_counted = bool(gold.any())
        if reset:
            self.reset()
        return metrics if any_counted else {}

    def _grow(self, positions: int) -> None:
        missing = positions - self._counts.size(1)
        if missing > 0:
            self._counts = torch.nn.functional.pad(self._counts, (0, missing))

    def _add_up_processes(self) -> None:
        device = torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")
        positions = torch.tensor(self._counts.size(1), device=device)
        dist.all_reduce(positions, dist.ReduceOp.MAX)
        self._grow(int(positions))
        counts = self._counts.to(device)
        dist.all_reduce(counts)
        self._counts = counts.cpu()


def _bincounts(labels: List[torch.Tensor], size: int) -> List[torch.Tensor]:
    return [label.bincount(minlength=size) for label in labels]


def _ratio(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    return torch.where(whole > 0, part / whole.clamp(min=1), torch.zeros_like(part))
