"""The tables that a sweep wrote."""

import math
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import unquote

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.common.rows import RowError
from attribution.common.tables import read_table

SWEEP = "sweep.json"
RUNS = "runs.csv"
RESULTS = "results.csv"

Place = Dict[str, str]
"""By axis its value there, as a text."""


class Run(NamedTuple):
    """A point of the sweep, and what was measured there; NaN where it is missing."""

    place: Place
    values: Dict[str, float]


class Result(NamedTuple):
    """Runs that differ in their repetition only."""

    place: Place
    """Of the axes that are neither repeated nor chosen."""
    chosen: Place
    """
    Of those that were chosen by development; empty texts where no run counts, or there was nothing to choose. With
    `choose_within` as `13=0.001,42=0.0005`, by the values of that.
    """
    n: int
    """How many runs count."""
    mean: Dict[str, float]
    deviation: Dict[str, float]


class Grid(NamedTuple):
    """One metric by two axes."""

    rows: List[str]
    columns: List[str]
    mean: np.ndarray
    """NaN where it is missing. Shape of this and the others: (rows, columns)"""
    deviation: np.ndarray
    n: np.ndarray
    """How many runs count."""


class SweepResults:
    """
    What a sweep says of itself.

    # Parameters

    directory : `Path`

    # Raises

    `ConfigurationError` if a file is missing or damaged, by file and line.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        settings, _ = read_json_object(directory / SWEEP)
        axes, metrics = settings.get("axes"), settings.get("metrics") or []
        if not isinstance(axes, dict) or not all(isinstance(name, str) for name in metrics):
            raise ConfigurationError(f"{directory / SWEEP}: has no axes, or metrics that are no texts; not a sweep's")
        self.axes = list(axes)
        self.repeat = [axis for axis in self.axes if axis in (settings.get("repeat") or [])]
        self.choose = [axis for axis in self.axes if axis in (settings.get("choose") or [])]
        self.choose_within: Optional[str] = settings.get("choose_within")
        self.rest = [axis for axis in self.axes if axis not in self.repeat + self.choose]
        self.development: Optional[str] = settings.get("development")
        self.metrics: List[str] = [*metrics]
        self.columns = list(dict.fromkeys([*([self.development] if self.development else []), *metrics]))
        self.runs = [self._run(where, row) for where, row in self._read(RUNS, [*self.axes, *self.columns])]
        kinds = [f"{name}_{kind}" for name in self.columns for kind in ("mean", "std")]
        wanted = [*self.rest, *self.choose, "n", *kinds]
        self.results = [self._result(where, row) for where, row in self._read(RESULTS, wanted)]

    def values(self, axis: str) -> List[str]:
        """Those in the results, in their order."""
        return list(dict.fromkeys(result.place[axis] for result in self.results))

    def counted(self, result: Result) -> List[Run]:
        """Its runs."""
        return [run for place in self._places(result) for run in self._at(place)]

    def _at(self, place: Place) -> List[Run]:
        return [run for run in self.runs if place.items() <= run.place.items()]

    def _places(self, result: Result) -> List[Place]:
        """Where its runs are: with `choose_within` a place for each value of that."""
        if self.choose_within is None:
            return [self._place(result, result.place, result.chosen)]
        chosen = {axis: read_place(text) for axis, text in result.chosen.items()}
        values = dict.fromkeys(run.place[self.choose_within] for run in self._at(result.place))
        return [
            self._place(
                result,
                {**result.place, self.choose_within: value},
                {axis: of_axis.get(value, "") for axis, of_axis in chosen.items()},
            )
            for value in values
            if not any(chosen.values()) or any(value in of_axis for of_axis in chosen.values())
        ]

    def _place(self, result: Result, place: Place, chosen: Place) -> Place:
        """Where there was nothing to choose, runs are the same at all values: the first that has any is taken."""
        if not result.n or self._at({**place, **chosen}):
            return {**place, **chosen}
        runs = [run for run in self._at(place) if not all(map(math.isnan, run.values.values()))]
        return {**place, **({axis: runs[0].place[axis] for axis in self.choose} if runs else chosen)}

    def counts(self, place: Place) -> bool:
        """Whether what was made there is at the chosen values of a result."""
        return place.keys() <= set(self.axes) and any(
            all(place.get(axis, value) == value for axis, value in of_result.items())
            for result in self.results
            for of_result in self._places(result)
        )

    def has_numbers(self) -> bool:
        """Whether a run has ended, and counts."""
        return any(result.n for result in self.results)

    def grid(self, results: Sequence[Result], metric: str, rows: Optional[str], columns: Optional[str]) -> Grid:
        """Without an axis there is one row, or one column, of the metric's name."""
        names = [self.values(axis) if axis else [metric] for axis in (rows, columns)]
        shape = (len(names[0]), len(names[1]))
        grid = Grid(names[0], names[1], np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, int))
        for result in results:
            place = tuple(there.index(result.place[axis]) if axis else 0 for there, axis in zip(names, (rows, columns)))
            grid.mean[place] = result.mean[metric]
            grid.deviation[place] = result.deviation[metric]
            grid.n[place] = 0 if math.isnan(result.mean[metric]) else result.n
        return grid

    def _run(self, where: str, row: Dict[str, str]) -> Run:
        return Run({axis: row[axis] for axis in self.axes}, {name: _number(where, row, name) for name in self.columns})

    def _result(self, where: str, row: Dict[str, str]) -> Result:
        mean, deviation = (
            {name: _number(where, row, f"{name}_{kind}") for name in self.columns} for kind in ("mean", "std")
        )
        count = _number(where, row, "n")
        if not count.is_integer():
            raise RowError(where, "a count that is no whole number", f": n is {row['n']!r}")
        places = [{axis: row[axis] for axis in axes} for axes in (self.rest, self.choose)]
        return Result(places[0], places[1], int(count), mean, deviation)

    def _read(self, name: str, wanted: List[str]) -> Iterator[Tuple[str, Dict[str, str]]]:
        path = self.directory / name
        if not path.is_file():
            raise ConfigurationError(
                f"{path}: missing; the sweep has not ended a run yet, or is damaged: run `allennlp sweep` again"
            )
        yield from _rows(path, wanted)


def read_place(name: str) -> Place:
    """Of a step's directory, `AXIS=value,AXIS=value`, where all is quoted as in URLs."""
    pairs = [part.partition("=") for part in name.split(",")]
    return {unquote(axis): unquote(value) for axis, equals, value in pairs if equals}


def _rows(path: Path, wanted: List[str]) -> Iterator[Tuple[str, Dict[str, str]]]:
    header: List[str] = []
    for where, row in read_table(path):
        if not header:
            header = row
            missing = [column for column in wanted if column not in header]
            if missing:
                raise RowError(where, "a column is missing", f": {missing[0]}; run `allennlp sweep` again")
        elif len(row) != len(header):
            raise RowError(where, "another number of columns", f": {len(row)}, and {len(header)} in the header")
        else:
            yield where, dict(zip(header, row))
    if not header:
        raise ConfigurationError(f"{path}: empty; run `allennlp sweep` again")


def _number(where: str, row: Dict[str, str], name: str) -> float:
    try:
        return float(row[name]) if row[name] else math.nan
    except ValueError:
        raise RowError(where, "not a number", f": {name} is {row[name]!r}") from None
