"""Bases of the metrics of texts."""

from statistics import fmean
from typing import Any, Dict, List, Mapping, Sequence

import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import is_distributed
from allennlp.training.metrics.metric import Metric

Details = Mapping[str, Any]
"""What a row says to metrics: `references`, the texts that are right, and what else a metric documents."""


class TextMetric(Metric):
    """
    Base of the metrics of texts that a model wrote, or of options that it chose. It keeps one record a row: a subclass
    says what that is, in `record`, and what the records of all rows come to, in `summary`. Values are between 0 and 1
    unless a metric says otherwise, and 0 where there are no rows.

    Processes are put together when the metric is reset, at the end of an evaluation, and not at each batch: they may
    have different numbers of batches.
    """

    supports_distributed = True

    def __init__(self) -> None:
        self._records: List[Any] = []

    def record(self, prediction: str, details: Details) -> Any:
        """What is kept of a row: plain numbers, texts and tuples of them."""
        raise NotImplementedError

    def summary(self, records: Sequence[Any]) -> Dict[str, float]:
        """The values of all rows, which come in any order. There may be none."""
        raise NotImplementedError

    def __call__(self, predictions: Sequence[str], details: Sequence[Details]) -> None:  # type: ignore[override]
        """
        # Parameters

        predictions : `Sequence[str]`
            What the model wrote or chose, a text a row.
        details : `Sequence[Mapping[str, Any]]`
            Those of the same rows.
        """
        self._records += [self.record(*row) for row in zip(predictions, details, strict=True)]

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """The values of the rows so far; with `reset`, those of all processes."""
        records = self._of_all_processes() if reset and is_distributed() else self._records
        values = self.summary(records)
        if reset:
            self.reset()
        return values

    def reset(self) -> None:
        self._records = []

    def _of_all_processes(self) -> List[Any]:
        gathered: List[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(gathered, self._records)
        return [record for records in gathered for record in records]


class ReferenceMetric(TextMetric):
    """
    Base of the metrics that compare two texts: a row counts with the reference that its prediction is most like, and
    the value is the mean over rows. It bears the name under which the metric is registered.
    """

    name: str

    def score(self, prediction: str, reference: str) -> float:
        raise NotImplementedError

    def record(self, prediction: str, details: Details) -> float:
        return max(self.score(prediction, reference) for reference in references_of(details))

    def summary(self, records: Sequence[float]) -> Dict[str, float]:
        return {self.name: mean(records)}


def references_of(details: Details) -> List[str]:
    """
    The texts that are right.

    # Raises

    `ConfigurationError` if there is none.
    """
    references = detail(details, "references")
    if not isinstance(references, (list, tuple)) or not references:
        raise ConfigurationError(f"`references` in a row's details is {references!r:.80}; a list of texts is needed")
    return [str(reference) for reference in references]


def detail(details: Details, key: str) -> Any:
    """
    What a row says under a key.

    # Raises

    `ConfigurationError` if it says nothing.
    """
    if key not in details:
        row = f"row {details['id']!r}" if "id" in details else "one"
        raise ConfigurationError(
            f"a metric needs {key!r} in the details of each row; {row} has {sorted(details)}: "
            + ("it has no label either" if key == "references" else "use the reader of the metric's own data set")
        )
    return details[key]


def mean(values: Sequence[float]) -> float:
    """0 of nothing. The same whatever the order of the values."""
    return fmean(values) if values else 0.0
