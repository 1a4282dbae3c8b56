"""Trainings in a report."""

import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import Block, Cell, Number, Plot, Table
from attribution.reports.plots import Curve, curves
from attribution.reports.report_section import ReportSection

METRICS = "metrics.json"

_EPOCH = re.compile(r"metrics_epoch_(\d+)\.json")
_RUN = re.compile(r"(training|validation)_(.+)")
_OF_THE_MACHINE = re.compile(r".*(memory_MB|duration)$|(training_)?(start_epoch|epochs?)$")

Epochs = Dict[int, Dict[str, float]]
"""By epoch, from 0, what was measured after it."""


@ReportSection.register("training")
class TrainingSection(ReportSection):
    """
    What `allennlp train` writes, or a sweep's `evaluate`: the metrics and, of a training, the learning curves.

    Registered as a `ReportSection` with name "training".
    """

    needs = f"{METRICS} or metrics_epoch_0.json"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / METRICS).is_file() or bool(epoch_files(path))

    def inputs(self) -> List[Path]:
        final = self.path / METRICS
        return [*([final] if final.is_file() else []), *epoch_files(self.path).values()]

    def blocks(self) -> Iterator[Block]:
        if (self.path / METRICS).is_file():
            metrics = read_numbers(self.path / METRICS)
            rows: List[List[Cell]] = [[name, Number(value)] for name, value in metrics.items()]
            yield Table("Metrics", f"At the end, of one run. From {self.path}.", ["metric", "value"], rows)
        else:
            yield "The training has not ended."
        epochs = read_epochs(self.path)
        if epochs:
            yield _curves(epochs, self.path)


def epoch_files(directory: Path) -> Dict[int, Path]:
    """By epoch, in order."""
    found = {
        int(match[1]): path for path in directory.glob("metrics_epoch_*.json") if (match := _EPOCH.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def read_epochs(directory: Path) -> Epochs:
    """The learning curves of a training; none where it is no training."""
    return {epoch: read_numbers(path) for epoch, path in epoch_files(directory).items()}


def read_numbers(path: Path) -> Dict[str, float]:
    """
    The numbers in a file of metrics, those in an object with both names and a dot between. What is measured of the
    machine (memory, duration) is left out.
    """
    return dict(_numbers(read_json_object(path)[0], ""))


def _numbers(content: Dict[str, Any], prefix: str) -> Iterator[Any]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and not _OF_THE_MACHINE.fullmatch(name):
            yield prefix + name, float(value)


def _curves(epochs: Epochs, path: Path) -> Plot:
    panels: Dict[str, List[Curve]] = defaultdict(list)
    names = dict.fromkeys(name for numbers in epochs.values() for name in numbers)
    for name in names:
        match = _RUN.fullmatch(name)
        if match:
            y = np.array([numbers.get(name, math.nan) for numbers in epochs.values()])
            panels[match[2]].append(Curve(match[1], np.array(list(epochs)), y))
    if not panels:
        raise ConfigurationError(
            f"{path}: metrics_epoch_{next(iter(epochs))}.json has no training_ or validation_ metric"
        )
    caption = f"Each metric after each epoch (from 0), of one run. From {path}."
    return Plot("Learning curves", caption, curves(panels, "epoch", "metric"))
