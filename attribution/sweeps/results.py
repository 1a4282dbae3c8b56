"""What came out of a sweep."""

from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple
from urllib.parse import quote

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import read_json
from attribution.common.tables import write_table
from attribution.sweeps.grid import Point, as_text
from attribution.sweeps.run import METRICS, Run
from attribution.sweeps.sweep import PlannedPoint, Sweep

RUNS = "runs.csv"
RESULTS = "results.csv"

Values = Dict[str, float]
"""By column (`STEP.METRIC`) what was measured; a column without a value is not in it."""


Candidates = Dict[Tuple[str, ...], List[Values]]
"""By values that may be chosen the runs there."""

Group = Dict[str, Candidates]
"""By a value of `choose_within` what there is to choose from; without it all under an empty text."""


class Measured(NamedTuple):
    """A point and what was measured there."""

    point: Point
    values: Values


class Results:
    """
    The tables of a sweep: `runs.csv` has a row for each point, `results.csv` one for each combination of axes that are
    neither repeated nor chosen.
    """

    def __init__(self, sweep: Sweep, points: Sequence[PlannedPoint], directory: Path) -> None:
        self.sweep = sweep
        self.points = points
        self.directory = directory
        self._metrics: Dict[Path, Values] = {}

    def write(self) -> None:
        """As far as runs are finished."""
        measured = self._measured()
        columns = self.sweep.columns
        rows = [
            [*map(as_text, point.values()), *(str(values.get(name, "")) for name in columns)]
            for point, values in measured
        ]
        write_table(self.directory / RUNS, [[*self.sweep.axes, *columns], *rows])
        write_table(self.directory / RESULTS, summary_table(self.sweep, measured))

    def complaints(self) -> List[str]:
        """
        Of each column that no finished run of its step has a value for, and of places where nothing says which of
        several runs counts.
        """
        found = []
        for column in self.sweep.columns:
            step, _, metric = column.partition(".")
            runs = {planned.runs[step].directory for planned in self.points if step in planned.runs}
            there = [self._metrics[directory] for directory in runs if directory in self._metrics]
            if there and not any(metric in values for values in there):
                names = ", ".join(sorted({name for values in there for name in values})) or "none"
                found.append(f"{column}: {step} has no number {metric} in {METRICS}; there are: {names}")
        found += [
            f"{place}: its runs differ, and none has {self.sweep.development}: nothing says which is the best"
            for place in undecided(self.sweep, self._measured())
        ]
        return found

    def _measured(self) -> List[Measured]:
        return [Measured(planned.point, self._values(planned)) for planned in self.points]

    def _values(self, planned: PlannedPoint) -> Values:
        values = {}
        for column in self.sweep.columns:
            step, _, metric = column.partition(".")
            if step in planned.runs:
                measured = self._read(planned.runs[step])
                values.update({column: measured[metric]} if metric in measured else {})
        return values

    def _read(self, run: Run) -> Values:
        if run.directory not in self._metrics and run.is_finished():
            path = run.directory / METRICS
            again = f"remove {run.directory} to make it again"
            content = read_json(path, again) if path.is_file() else {}
            if not isinstance(content, dict):
                raise ConfigurationError(f"{path}: is {content!r:.40}; an object of measured values is needed; {again}")
            self._metrics[run.directory] = _numbers(content)
        return self._metrics.get(run.directory, {})


def summary_table(sweep: Sweep, measured: Sequence[Measured]) -> List[List[str]]:
    """
    A header, and a row for each combination of axes that are neither repeated nor chosen: its values, those that were
    chosen (with `choose_within` as `13=0.001,42=0.0005`, by the values of that), the number of runs that count, and
    mean and sample standard deviation of each column over these. A run counts if it has a value in each column in which
    any has one. Where there is nothing to choose, as nothing was trained, nothing is chosen, and all the same there are
    values.
    """
    rest = _rest(sweep)
    header = [*rest, *sweep.choose, "n", *(f"{name}_{kind}" for name in sweep.columns for kind in ("mean", "std"))]
    rows = []
    for place, group in _groups(sweep, measured).items():
        chosen, runs = _chosen(sweep, group)
        cells = [_mean_and_deviation([run[name] for run in runs if name in run]) for name in sweep.columns]
        rows.append([*place, *chosen, str(len(runs)), *(text for pair in cells for text in pair)])
    return [header, *rows]


def undecided(sweep: Sweep, measured: Sequence[Measured]) -> List[str]:
    """The places whose runs differ, and have no development score that would say which are the best."""
    within = [sweep.choose_within] if sweep.choose_within else []
    return [
        ", ".join(f"{axis}={text}" for axis, text in zip([*_rest(sweep), *within], [*place, value])) or "the sweep"
        for place, group in _groups(sweep, measured).items()
        for value, candidates in group.items()
        if not _best(sweep, candidates)[1] and any(map(_that_count, candidates.values()))
    ]


def _rest(sweep: Sweep) -> List[str]:
    return [axis for axis in sweep.axes if axis not in sweep.repeat + sweep.choose]


def _groups(sweep: Sweep, measured: Sequence[Measured]) -> Dict[Tuple[str, ...], Group]:
    """By the values of the axes that are neither repeated nor chosen."""
    groups: Dict[Tuple[str, ...], Group] = {}
    for point, values in measured:
        within = as_text(point[sweep.choose_within]) if sweep.choose_within else ""
        candidates = groups.setdefault(_texts(point, _rest(sweep)), {}).setdefault(within, {})
        candidates.setdefault(_texts(point, sweep.choose), []).append(values)
    return groups


def _chosen(sweep: Sweep, group: Group) -> Tuple[Sequence[str], List[Values]]:
    """What is written of the values that were chosen, and the runs that count."""
    best = {value: _best(sweep, candidates) for value, candidates in group.items()}
    if sweep.choose_within is None:
        return best[""]
    runs = _that_count([run for _, of_value in best.values() for run in of_value])
    counted = {value: chosen for value, (chosen, of_value) in best.items() if any(run in runs for run in of_value)}
    texts = [
        {value: chosen[place] for value, chosen in counted.items() if chosen[place]}
        for place in range(len(sweep.choose))
    ]
    return [
        ",".join(f"{quote(value, safe='')}={quote(text, safe='')}" for value, text in of_axis.items())
        for of_axis in texts
    ], runs


def _best(sweep: Sweep, candidates: Candidates) -> Tuple[Tuple[str, ...], List[Values]]:
    """The chosen values and their runs; of nothing that was measured none, and of equal runs no values."""
    counted = {chosen: _that_count(runs) for chosen, runs in candidates.items()}
    if not sweep.choose:
        return (), counted[()]
    sign = 1 if sweep.higher_is_better else -1
    scores = {
        chosen: sign * float(np.mean([run[sweep.development] for run in runs]))
        for chosen, runs in counted.items()
        if runs and sweep.development in runs[0]
    }
    scored = {chosen: score for chosen, score in scores.items() if not np.isnan(score)}
    if not scored:
        there = [runs for runs in counted.values() if runs]
        same = not scores and all(runs == there[0] for runs in there)
        return ("",) * len(sweep.choose), there[0] if there and same else []
    best = max(scored, key=lambda chosen: scored[chosen])
    return best, counted[best]


def _that_count(runs: List[Values]) -> List[Values]:
    columns = {name for run in runs for name in run}
    return [run for run in runs if columns and columns <= run.keys()]


def _mean_and_deviation(values: List[float]) -> Tuple[str, str]:
    if not values:
        return "", ""
    differences = np.subtract(values, values[0])  # Of equal values the deviation is 0, and not 1e-17.
    return str(float(np.mean(values))), str(float(np.std(differences, ddof=1))) if len(values) > 1 else ""


def _texts(point: Point, axes: Sequence[str]) -> Tuple[str, ...]:
    return tuple(as_text(point[axis]) for axis in axes)


def _numbers(content: Mapping[str, Any], prefix: str = "") -> Values:
    """The numbers in an object, those of objects in it with both names."""
    found: Values = {}
    for name, value in content.items():
        if isinstance(value, dict):
            found.update(_numbers(value, f"{prefix}{name}."))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[prefix + name] = value
    return found
