"""The metrics of texts that a configuration names."""

from typing import Any, Dict, Mapping, Optional, Sequence

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import TextMetric


class MetricList:
    """
    Several metrics of the same texts, whose values are reported together.

    # Parameters

    metrics : `Sequence[Metric]`
        Each of another kind: the names of their values are those of the kind.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        kinds = [type(metric) for metric in metrics]
        for kind in kinds:
            if not issubclass(kind, TextMetric):
                raise ConfigurationError(f"metrics: {kind.__name__} is not a metric of texts")
            if kinds.count(kind) > 1:
                raise ConfigurationError(f"metrics: {kind.__name__} is there twice; its values would have one name")
        self._metrics = metrics

    def __bool__(self) -> bool:
        return bool(self._metrics)

    def __call__(
        self,
        predictions: Sequence[str],
        details: Optional[Sequence[Optional[Mapping[str, Any]]]],
        right: Optional[Sequence[str]],
    ) -> None:
        """
        # Parameters

        predictions : `Sequence[str]`
            What the model wrote or chose, a text a row.
        details : `Sequence[Mapping[str, Any]]`, optional
            What the same rows say to metrics.
        right : `Sequence[str]`, optional
            The right options' texts: the references of rows whose details have none.
        """
        rows: Sequence[Mapping[str, Any]] = [given or {} for given in details or [None] * len(predictions)]
        if right is not None:
            rows = [{"references": [text], **row} for text, row in zip(right, rows, strict=True)]
        for metric in self._metrics:
            metric(predictions, rows)  # type: ignore[call-arg, arg-type]

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        values: Dict[str, float] = {}
        for metric in self._metrics:
            values.update(metric.get_metric(reset))
        return values
