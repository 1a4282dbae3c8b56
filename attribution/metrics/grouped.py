"""Metrics of texts for groups of rows apart: those of one prompt template, say."""

from typing import Any, Dict, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.metric_list import MetricList
from attribution.metrics.text_metric import Details, TextMetric, detail

_Record = Tuple[str, Tuple[Any, ...]]


@Metric.register("grouped")
class Grouped(TextMetric):
    """
    Other metrics, of all rows under their own names and of each group as `NAME/GROUP`: a task's score under each of its
    prompt templates, which differ widely (Sanh et al., 2022, https://arxiv.org/abs/2110.08207, section 6).

    Registered as a `Metric` with name "grouped".

    # Parameters

    metrics : `List[Metric]`
        Metrics of texts, such as `['soft_exact_match', 'rouge_l']`.
    by : `str`, optional (default = `"template"`)
        What rows are grouped by, in their details: the reader `recross_triples` has `template` and `task`, and so has
        `p3_jsonl` with `keep: ['template', 'task']`.
    """

    def __init__(self, metrics: List[Metric], by: str = "template") -> None:
        super().__init__()
        MetricList(metrics)  # Of texts, each once.
        if not metrics or any(isinstance(metric, Grouped) for metric in metrics):
            raise ConfigurationError("grouped: `metrics` needs at least one metric, and none that is grouped")
        self._metrics: Sequence[TextMetric] = metrics  # type: ignore[assignment]
        self._by = by

    def record(self, prediction: str, details: Details) -> _Record:
        return str(detail(details, self._by)), tuple(metric.record(prediction, details) for metric in self._metrics)

    def summary(self, records: Sequence[_Record]) -> Dict[str, float]:
        values = self._values([record for _, record in records])
        for group in sorted({group for group, _ in records}):
            of_group = self._values([record for other, record in records if other == group])
            values.update({f"{name}/{group}": value for name, value in of_group.items()})
        return values

    def _values(self, records: Sequence[Tuple[Any, ...]]) -> Dict[str, float]:
        values: Dict[str, float] = {}
        for place, metric in enumerate(self._metrics):
            values.update(metric.summary([record[place] for record in records]))
        return values
