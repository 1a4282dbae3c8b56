"""What tuning a source on a target gains."""

from pathlib import Path
from typing import Any, List, Optional, Sequence

from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.similarity.pair_pattern import PairPattern
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity


@TaskSimilarity.register("performance")
class Performance(TaskSimilarity):
    """
    The best development score of the source while it is tuned on the target, minus its score before (Lv et al., 2023).
    Published after 200 steps, with a softmax temperature of 0.001, to merge the tuned sources.

    Registered as a `TaskSimilarity` with name "performance".

    # Parameters

    after : `str`
        The metrics of each training, `sweep/tuned/TARGET={target},SOURCE={source}/metrics.json`, as AllenNLP writes
        them: of `best_validation_METRIC` or, without it, `METRIC`.
    before : `str`
        Those of each evaluation of a source on the target's development rows, by another such pattern: of `METRIC` or,
        without it, `validation_METRIC`.
    metric : `str`, optional (default = `"accuracy"`)
        One of which more is better.
    """

    higher_is_better = True
    needs_examples = False

    def __init__(self, after: str, before: str, metric: str = "accuracy") -> None:
        super().__init__()
        self.after = PairPattern("after", after)
        self.before = PairPattern("before", before)
        if metric.endswith("loss"):
            raise ConfigurationError(f"measure.metric: of a loss less is better; name another than {metric}")
        self.metric = metric

    def files(self, folder: Path) -> List[Path]:
        return []

    def pair_files(self, target: str, source: str) -> List[Path]:
        files = []
        for pattern in (self.after, self.before):
            path = pattern.path(target, source)
            pattern.check(path, target, source)
            files.append(path)
        return files

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        after, before = self.pair_files(target.name, source.name)
        gained = _read(after, [f"best_validation_{self.metric}", self.metric])
        return {"model": gained - _read(before, [self.metric, f"validation_{self.metric}"])}


def _read(path: Path, names: Sequence[str]) -> float:
    metrics, _ = read_json_object(path)
    for name in names:
        if name in metrics:
            if type(metrics[name]) not in (int, float):
                raise ConfigurationError(f"{path}: {name} is {metrics[name]!r}; a number is needed")
            return metrics[name]
    there = ", ".join(sorted(name for name, value in metrics.items() if type(value) in (int, float)))
    raise ConfigurationError(f"{path}: has no {' and no '.join(names)} (measure.metric); there are {there or 'none'}")
