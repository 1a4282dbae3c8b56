"""The few-shot gym: each task has its own metric."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.classification_f1 import ClassificationF1
from attribution.metrics.correlation import Matthews, Pearson
from attribution.metrics.exact_match import ExactMatch, TextAccuracy
from attribution.metrics.qa_f1 import QaF1
from attribution.metrics.rouge_l import RougeL
from attribution.metrics.text_metric import Details, TextMetric, detail, mean

_METRICS: Dict[str, Callable[..., TextMetric]] = {
    "ACC": TextAccuracy,
    "Classification-F1": ClassificationF1,
    "EM": ExactMatch,
    "Matthew-Correlation": partial(Matthews, positive="acceptable"),
    "Pearson-Correlation": Pearson,
    "QA-F1": partial(QaF1, empty_matches=False),
    "Rouge-L": RougeL,
}
"""By the names that the gym gives them."""


@Metric.register("fewshot_gym")
class FewShotGym(TextMetric):
    """
    Scores each row by the metric of its task (Ye et al., 2021, https://arxiv.org/abs/2104.08835): a value for each task
    under its name, `fewshot_gym/rte`, and `fewshot_gym`, the mean over tasks. With several references the best counts,
    the first for correlations and classes. Of CoLA all that is not `acceptable` is one class, and QA-F1 of two texts
    without words is 0, as published. A row's details say `task`. ROUGE-L is rouge-score's (the extra `metrics`):
    the gym's is another library's.

    Registered as a `Metric` with name "fewshot_gym".

    # Parameters

    task_metrics : `str`
        A JSON file with the metric of each task, under its name or under `metric` in an object that has more: `ACC`,
        `Classification-F1`, `EM`, `Matthew-Correlation`, `Pearson-Correlation`, `QA-F1` or `Rouge-L`.
    classes : `str`, optional (default = `"union"`)
        Of `Classification-F1`, that of `classification_f1`: `union` is the gym's and that of task-level mixtures of
        experts, `gold` that of weight ensembling.
    """

    def __init__(self, task_metrics: str, classes: str = "union") -> None:
        super().__init__()
        self._classes = ClassificationF1(classes).classes
        self._path = task_metrics
        self._task_metrics = _load(task_metrics)
        self._metrics: Dict[str, TextMetric] = {}

    def record(self, prediction: str, details: Details) -> Tuple[str, Any]:
        task = str(detail(details, "task"))
        return task, self._metric(task).record(prediction, details)

    def summary(self, records: Sequence[Tuple[str, Any]]) -> Dict[str, float]:
        by_task: Dict[str, List[Any]] = {}
        for task, record in records:
            by_task.setdefault(task, []).append(record)
        values = {}
        for task, of_task in sorted(by_task.items()):
            [values[f"fewshot_gym/{task}"]] = self._metric(task).summary(of_task).values()
        return {"fewshot_gym": mean(list(values.values())), **values}

    def _metric(self, task: str) -> TextMetric:
        if task not in self._task_metrics:
            raise ConfigurationError(f"fewshot_gym: task_metrics {self._path}: no metric for the task {task!r}")
        name = self._task_metrics[task]
        if name not in self._metrics:
            settings = {"classes": self._classes} if name == "Classification-F1" else {}
            self._metrics[name] = _METRICS[name](**settings)
        return self._metrics[name]


def _load(path: str) -> Dict[str, str]:
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8-sig"))
        metrics = {task: entry["metric"] if isinstance(entry, dict) else entry for task, entry in table.items()}
        wrong = [f"{task} has {name!r}" for task, name in metrics.items() if name not in _METRICS]
    except FileNotFoundError as error:
        raise ConfigurationError(f"fewshot_gym: task_metrics {path}: no such file") from error
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"fewshot_gym: task_metrics {path}: not a JSON object from tasks to metrics ({error!r})"
        ) from error
    if wrong:
        raise ConfigurationError(
            f"fewshot_gym: task_metrics {path}: {wrong[0]}, which is none of {', '.join(_METRICS)}"
        )
    return metrics
