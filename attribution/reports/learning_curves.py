"""The learning curves of a sweep's trainings."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from attribution.reports.blocks import Block, Plot
from attribution.reports.plots import Curve, curves
from attribution.reports.sweep_results import Place, SweepResults, read_place
from attribution.reports.training import Epochs, epoch_files, read_epochs

_MOST_PANELS = 36
_LOSSES = ("validation_loss", "training_loss")


class Training(NamedTuple):
    """One of a sweep's trainings."""

    place: Place
    epochs: Epochs


def training_files(directory: Path) -> List[Path]:
    """The metrics of all epochs of all trainings in a sweep's directory."""
    return [path for folder in _trainings(directory) for path in epoch_files(folder).values()]


def learning_curves(results: SweepResults, panels: Optional[str]) -> Iterator[Block]:
    """
    For each step that trains the development metric by epoch, if it is measured there, and the loss: a small plot for
    each value of the axis `panels`, a line for each combination of the other axes, the mean over repetitions.
    """
    steps: Dict[str, List[Training]] = defaultdict(list)
    for folder in _trainings(results.directory):
        place = read_place(folder.name)
        if results.counts(place):
            steps[folder.parent.name].append(Training(place, read_epochs(folder)))
    for step, trainings in steps.items():
        measured = {name for training in trainings for numbers in training.epochs.values() for name in numbers}
        own = (results.development or "").removeprefix(f"{step}.").removeprefix("best_")
        losses = [loss for loss in _LOSSES if loss in measured][:1]
        for name in dict.fromkeys([*([own] if own in measured else []), *losses]):
            yield _plot(results, step, trainings, name, panels)


def _plot(results: SweepResults, step: str, trainings: Sequence[Training], name: str, panels: Optional[str]) -> Plot:
    lines: Dict[str, Dict[str, List[Epochs]]] = defaultdict(lambda: defaultdict(list))
    left_out = {panels or "", *results.repeat, *results.choose}
    for place, epochs in trainings:
        label = ", ".join(f"{axis}={value}" for axis, value in place.items() if axis not in left_out)
        lines[place.get(panels or "", "")][label].append(epochs)
    order = results.values(panels) if panels else []
    titles = [title for title in [*order, ""] if title in lines]
    drawn = {
        title: [_curve(label, runs, name) for label, runs in lines[title].items()] for title in titles[:_MOST_PANELS]
    }
    counts = sorted({len(runs) for by_label in lines.values() for runs in by_label.values()})
    of_first = f" The first {_MOST_PANELS} of {len(titles)}." if len(titles) > _MOST_PANELS else ""
    chosen = f", at the chosen {', '.join(results.choose)}" if results.choose else ""
    caption = (
        f"{name} of the step {step} after each epoch (from 0){chosen}: mean over the runs that reached it "
        f"({' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))} each), band: standard deviation.{of_first} "
        f"From {results.directory / step}."
    )
    return Plot(f"Learning curves of {step}: {name}", caption, curves(drawn, "epoch", name))


def _curve(label: str, runs: Sequence[Epochs], name: str) -> Curve:
    epochs = sorted({epoch for run in runs for epoch in run})
    values = [[run[epoch][name] for run in runs if name in run.get(epoch, {})] for epoch in epochs]
    mean = np.array([np.mean(there) if there else math.nan for there in values])
    deviation = np.array([np.std(there, ddof=1) if len(there) > 1 else math.nan for there in values])
    return Curve(label, np.array(epochs), mean, mean - deviation, mean + deviation)


def _trainings(directory: Path) -> List[Path]:
    return sorted({path.parent for path in directory.glob("*/*/metrics_epoch_*.json")})
