"""The scores of groups of rows in a sweep: of each prompt template, say."""

from collections import defaultdict
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

import numpy as np

from attribution.reports.blocks import Block, Cell, Number, Table
from attribution.reports.sweep_results import SweepResults, read_place
from attribution.reports.training import METRICS, read_numbers


def grouped_scores(results: SweepResults, metric: str, columns: Sequence[str]) -> Iterator[Block]:
    """
    A table of what the metric `grouped` measured beside `STEP.METRIC`: a row for each of its groups at each point, a
    column for each value of an axis (`columns` names it, or is empty), means and standard deviations over repetitions.
    None where there are no groups.
    """
    step, _, name = metric.partition(".")
    axes = [axis for axis in results.rest if axis not in columns]
    found: Dict[Tuple[str, ...], Dict[str, List[float]]] = defaultdict(lambda: defaultdict(list))
    for path in metrics_files(results.directory, step):
        place = read_place(path.parent.name)
        if results.counts(place):
            column = ", ".join(place.get(axis, "") for axis in columns) or metric
            for key, value in read_numbers(path).items():
                if key.startswith(f"{name}/"):
                    row = (*(place.get(axis, "") for axis in axes), key.removeprefix(f"{name}/"))
                    found[row][column].append(value)
    if not found:
        return
    there = {column for row in found.values() for column in row}
    order = results.values(columns[0]) if columns else []
    names = [*(value for value in order if value in there), *sorted(there - set(order))]
    cells: List[List[Cell]] = [[*row, *(_cell(found[row][name]) for name in names)] for row in sorted(found)]
    caption = (
        f"{metric} of each group of rows: mean ± sample standard deviation over runs. From {results.directory / step}."
    )
    yield Table(f"{metric} by group", caption, [*axes, "group", *names], cells, folded=True)


def metrics_files(directory: Path, step: str = "*") -> List[Path]:
    """What a step of a sweep has measured at all points, or all steps."""
    return sorted(directory.glob(f"{step}/*/{METRICS}"))


def _cell(values: Sequence[float]) -> Number:
    if not values:
        return Number(np.nan)
    return Number(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else np.nan)
