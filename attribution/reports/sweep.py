"""Sweeps in a report."""

import math
from itertools import product
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.reports.blocks import DASH, Block, Cell, Number, Plot, Table, plain
from attribution.reports.gains import EQUAL, MOST_EXACT, Pairs, compare, holm, relative_gains
from attribution.reports.grouped_scores import grouped_scores, metrics_files
from attribution.reports.learning_curves import learning_curves, training_files
from attribution.reports.plots import heat_map
from attribution.reports.repetitions import repetitions
from attribution.reports.report_section import ReportSection
from attribution.reports.retrieved_tasks import composition_files, retrieved_tasks
from attribution.reports.sweep_results import RESULTS, RUNS, SWEEP, Grid, Result, SweepResults

_LOW_IS_GOOD = ("loss", "perplexity", "error")


class Layout(NamedTuple):
    """What is where in the tables of a sweep."""

    rows: Optional[str]
    """An axis; none where there is a single row."""
    columns: Optional[str]
    baseline: Optional[str]
    """A column."""
    others: List[str]
    """The axes that have a table for each value."""


@ReportSection.register("sweep")
class SweepSection(ReportSection):
    """
    What `allennlp sweep` writes: for each metric a table of means and standard deviations and a heat map, with a
    baseline the gains over it, what repetitions differ in, and scores by group; which tasks its retrievals found, and
    the learning curves of its trainings.

    Registered as a `ReportSection` with name "sweep".
    """

    needs = SWEEP

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / SWEEP).is_file()

    def inputs(self) -> List[Path]:
        files = [self.path / name for name in (SWEEP, RUNS, RESULTS)]
        there = [path for path in files if path.is_file()]
        return [*there, *metrics_files(self.path), *composition_files(self.path), *training_files(self.path)]

    def blocks(self) -> Iterator[Block]:
        results = SweepResults(self.path)
        layout = self._layout(results)
        if not results.columns:
            raise ConfigurationError(
                f"{self.path / SWEEP}: names neither metrics nor development; there are no numbers"
            )
        self._check_baseline(results, layout)
        yield _about(results)
        for metric in results.metrics or results.columns:
            for title, part in _parts(results, metric, layout):
                yield from self._of_metric(results, part, metric, layout, title)
            yield from grouped_scores(results, metric, [layout.columns] if layout.columns else [])
        yield from retrieved_tasks(results, layout.rows)
        yield from learning_curves(results, layout.rows)
        yield self._all(results)

    def _layout(self, results: SweepResults) -> Layout:
        rest = results.rest
        where = f"{self.path} has the axes {', '.join(rest) or '(none)'} in its tables"
        for setting, axis in (("rows", self.rows), ("columns", self.columns)):
            if axis is not None and axis not in rest:
                raise ConfigurationError(f"{setting}: there is no {axis!r}; {where}")
        axis, _, baseline = (self.baseline or "").partition("=")
        if self.baseline is not None:
            if axis not in rest:
                raise ConfigurationError(f"baseline: there is no axis {axis!r} for {self.baseline!r}; {where}")
            if baseline not in results.values(axis):
                values = ", ".join(results.values(axis))
                raise ConfigurationError(f"baseline: {axis} has no {baseline!r} in {self.path}; it has {values}")
            if self.rows == axis or self.columns not in (None, axis):
                raise ConfigurationError(
                    f"baseline: {axis} makes no columns here; use columns: {axis}, or leave them out"
                )
        chosen = self.columns or axis
        columns = chosen or next((name for name in reversed(rest) if name != self.rows and len(rest) > 1), None)
        if columns is not None and columns == self.rows:
            raise ConfigurationError(f"rows and columns are both {columns}; name different axes")
        rows = self.rows or next((name for name in rest if name != columns), None)
        return Layout(rows, columns, baseline or None, [name for name in rest if name not in (rows, columns)])

    def _check_baseline(self, results: SweepResults, layout: Layout) -> None:
        """
        # Raises

        `ConfigurationError` if runs have ended, and nothing can be compared with the baseline.
        """
        grids = (
            results.grid(part, metric, layout.rows, layout.columns)
            for metric in results.metrics or results.columns
            for _, part in _parts(results, metric, layout)
        )
        baseline = layout.baseline
        if baseline is None or not results.has_numbers() or any(_can_be_compared(grid, baseline) for grid in grids):
            return
        raise ConfigurationError(
            f"baseline: nothing in {self.path} can be compared with {layout.columns}={baseline}: no row has a number "
            "there and in another column"
        )

    def _of_metric(
        self, results: SweepResults, part: Sequence[Result], metric: str, layout: Layout, title: str
    ) -> Iterator[Block]:
        grid = results.grid(part, metric, layout.rows, layout.columns)
        if not grid.n.any():
            yield f"{title}: there is no number yet."
            return
        yield self._table(grid, metric, layout, title)
        if grid.mean.size > 1:
            caption = f"{metric}, means over runs. {_counts(grid)} From {self.path}."
            yield Plot(f"{title}: heat map", caption, heat_map(grid.rows, grid.columns, grid.mean, metric))
        if layout.baseline is not None and _can_be_compared(grid, layout.baseline):
            yield from self._gains(results, part, grid, metric, layout, title)
        elif layout.baseline is not None:
            yield f"{title}: no row has a number at {layout.columns}={layout.baseline} and elsewhere to compare."
        yield from repetitions(results, part, metric, layout.rows, layout.columns, title)

    def _table(self, grid: Grid, metric: str, layout: Layout, title: str) -> Table:
        best = _best(grid.mean, metric)
        rows: List[List[Cell]] = [
            [name, *(Number(*cell) for cell in zip(means, spreads, [".3f"] * len(means), marks))]
            for name, means, spreads, marks in zip(
                grid.rows, grid.mean.tolist(), grid.deviation.tolist(), best.tolist()
            )
        ]
        there = ~np.isnan(grid.mean)
        whole = there[:, there.any(0)].all(1)
        summary: List[Cell] = []
        if len(rows) > 1:
            means = (
                np.where(there.any(0), grid.mean[whole].mean(0), np.nan) if whole.any() else [np.nan] * there.shape[1]
            )
            marks = _best(np.array([means]), metric)[0]
            name = "average" if whole.all() else f"average of {whole.sum()} complete rows"
            summary = [name, *(Number(float(mean), best=bool(mark)) for mean, mark in zip(means, marks))]
        lowest = "" if _higher_is_better(metric) else ", the lowest"
        caption = (
            f"{metric}: mean ± sample standard deviation over runs, the best of each row in bold{lowest}. "
            f"{_counts(grid)} From {self.path}."
        )
        return Table(title, caption, [layout.rows or "", *grid.columns], rows, summary)

    def _gains(
        self, results: SweepResults, part: Sequence[Result], grid: Grid, metric: str, layout: Layout, title: str
    ) -> Iterator[Block]:
        higher = _higher_is_better(metric)
        base = grid.columns.index(str(layout.baseline))
        others = [place for place in range(len(grid.columns)) if place != base]
        names = [grid.columns[place] for place in others]
        gains = relative_gains(grid.mean, grid.mean[:, base], higher)[:, others]
        over = f"over {layout.columns}={layout.baseline}"
        found = [
            compare(grid.mean[:, place], grid.mean[:, base], _pairs(results, part, grid, metric, layout, place), higher)
            for place in others
        ]
        rows: List[List[Cell]] = [
            [
                name,
                Number(one.arg, form="+.1f"),
                *map(plain, (one.rows, one.left_out, one.wins, one.losses, one.ties)),
                *(Number(value, form="+.3f") for value in (one.difference, *one.interval)),
                plain(one.pairs),
                Number(one.p_value, form=".3g"),
                Number(adjusted, form=".3g"),
                DASH if math.isnan(one.p_value) else "all signs" if one.is_exact else "normal",
            ]
            for name, one, adjusted in zip(names, found, holm([one.p_value for one in found]))
        ]
        measured = ["ARG %", "rows", "left out", "wins", "losses", "ties", "difference", "95% from", "to", "pairs"]
        header = [layout.columns or "", *measured, "p", "p (Holm)", "p from"]
        sign = "" if higher else "negated, since low is good here; "
        caption = (
            f"{metric} {over}. ARG: average relative gain, the mean over rows of (score − baseline) / baseline "
            f"({sign}Ye et al., 2021, CrossFit); rows whose baseline is 0 or less are left out of it. Wins, losses and "
            "ties: rows by their means. Difference: score − baseline, the mean over rows; its interval is from a "
            "bootstrap that draws rows and then their runs, so it holds for other rows such as these. p: Wilcoxon's "
            "signed-rank test, two-sided, over pairs of runs of the same "
            f"{', '.join([layout.rows or 'row', *results.repeat])}; runs of one row are alike, so it holds for these "
            f"rows only. It is counted over all signs, ties or not, up to {MOST_EXACT} pairs that differ, and is the "
            f"normal approximation beyond. Holm: corrected for the number of lines. From {self.path}."
        )
        yield Table(f"{title}: {over}", caption, header, rows)
        cells: List[List[Cell]] = [
            [name, *(Number(gain, form="+.1f") for gain in line)] for name, line in zip(grid.rows, gains.tolist())
        ]
        missing = f"{DASH} where the baseline is 0 or less, or a score is missing"
        caption = f"Relative gain in percent {over}; {missing}. From {self.path}."
        summary: List[Cell] = ["ARG", *(Number(one.arg, form="+.1f") for one in found)]
        yield Table(f"{title}: gain of each row", caption, [layout.rows or "", *names], cells, summary)
        if np.isfinite(gains).any() and gains.size > 1:
            figure = heat_map(grid.rows, names, gains, "gain in %", centre=0.0, form="+.1f")
            yield Plot(f"{title}: gains", f"{caption} Blue is better, red worse.", figure)

    def _all(self, results: SweepResults) -> Table:
        rows: List[List[Cell]] = [
            [
                *result.place.values(),
                *(value or DASH for value in result.chosen.values()),
                plain(result.n),
                *(Number(result.mean[name], result.deviation[name]) for name in results.columns),
            ]
            for result in results.results
        ]
        caption = f"Every combination, with what was chosen for it and the number of runs. From {self.path / RESULTS}."
        return Table("All results", caption, [*results.rest, *results.choose, "n", *results.columns], rows, folded=True)


def _about(results: SweepResults) -> str:
    text = f"{len(results.runs)} points of the axes {', '.join(results.axes)}."
    if results.repeat:
        text += f" Repeated over {', '.join(results.repeat)}."
    if results.choose:
        within = f" within each {results.choose_within}" if results.choose_within else ""
        text += (
            f" {', '.join(results.choose)} chosen by {results.development}{within}, before the metrics were looked at."
        )
    return text


def _can_be_compared(grid: Grid, baseline: str) -> bool:
    """Whether a row has a number in the baseline's column and in another, if there is another."""
    there = ~np.isnan(grid.mean)
    column = grid.columns.index(baseline)
    others = np.delete(there, column, axis=1)
    return bool((there[:, column] & (others.any(1) | (len(grid.columns) == 1))).any())


def _parts(results: SweepResults, metric: str, layout: Layout) -> Iterator[Tuple[str, List[Result]]]:
    """Those of one table each."""
    for values in product(*(results.values(axis) for axis in layout.others)):
        place = dict(zip(layout.others, values))
        part = [result for result in results.results if place.items() <= result.place.items()]
        yield ", ".join([metric, *(f"{axis}={value}" for axis, value in place.items())]), part


def _pairs(
    results: SweepResults, part: Sequence[Result], grid: Grid, metric: str, layout: Layout, column: int
) -> Pairs:
    """For each row the differences of runs with the same repetition."""
    runs: Dict[Tuple[Optional[str], str], Dict[Tuple[str, ...], float]] = {}
    for result in part:
        place = (result.place[layout.rows] if layout.rows else metric, result.place[layout.columns or ""])
        runs[place] = {
            tuple(run.place[axis] for axis in results.repeat): run.values[metric] for run in results.counted(result)
        }
    pairs = []
    for row in grid.rows:
        scores, base = (runs.get((row, name), {}) for name in (grid.columns[column], str(layout.baseline)))
        differences = [score - base[key] for key, score in scores.items() if key in base]
        pairs.append(np.array([value for value in differences if not math.isnan(value)]))
    return pairs


def _best(mean: np.ndarray, metric: str) -> np.ndarray:
    """Which is the best of each row, if there are two at least; equal ones all."""
    known = ~np.isnan(mean)
    scores = np.where(known, mean if _higher_is_better(metric) else -mean, -np.inf)
    return known & (scores >= scores.max(1, keepdims=True) - EQUAL) & (known.sum(1, keepdims=True) > 1)


def _higher_is_better(metric: str) -> bool:
    return not metric.endswith(_LOW_IS_GOOD)


def _counts(grid: Grid) -> str:
    """How many runs there are in each cell."""
    usual = int(np.bincount(grid.n[grid.n > 0]).argmax())
    unusual = [
        f"{count} of {grid.rows[row]}, {grid.columns[column]}"
        for (row, column), count in np.ndenumerate(grid.n)
        if count != usual
    ]
    more = f" and {len(unusual) - 8} more" if len(unusual) > 8 else ""
    return f"n = {usual}" + (f" but {'; '.join(unusual[:8])}{more}." if unusual else ".")
