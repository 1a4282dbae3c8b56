"""The repetitions of a sweep's points: ReCross's query sets, say."""

from collections import defaultdict
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from attribution.reports.blocks import Block, Cell, Number, Plot, Table, plain
from attribution.reports.sweep_results import Result, SweepResults
from attribution.reports.violins import is_spread, violins

_MOST_VIOLINS = 200

Scores = Dict[Tuple[str, ...], float]
"""By the values of the repeated axes."""


def repetitions(
    results: SweepResults, part: Sequence[Result], metric: str, rows: Optional[str], columns: Optional[str], title: str
) -> Iterator[Block]:
    """
    A table of mean, standard deviation, median, lowest and highest over repetitions: of each column first, whose score
    in a repetition is the mean over rows (Lin et al., 2022, https://arxiv.org/abs/2204.07937, table 1), then of each
    row. Violins of these, where there are enough. None where nothing was repeated.
    """
    scores: Dict[str, Dict[str, Scores]] = defaultdict(dict)
    for result in part:
        row = result.place[rows] if rows else metric
        scores[result.place[columns] if columns else metric][row] = {
            tuple(run.place[axis] for axis in results.repeat): run.values[metric]
            for run in results.counted(result)
            if not np.isnan(run.values[metric])
        }
    if all(len(of_row) < 2 for of_rows in scores.values() for of_row in of_rows.values()):
        return
    several = any(len(of_rows) > 1 for of_rows in scores.values())
    cells = [
        _cells(column, "average", _average(list(of_rows.values()))) for column, of_rows in scores.items() if several
    ]
    for column, of_rows in scores.items():
        cells += [_cells(column, row, list(of_row.values())) for row, of_row in of_rows.items()]
    over = ", ".join(results.repeat)
    caption = (
        f"{metric} over {over}: mean ± sample standard deviation, median, lowest and highest. The average is over all "
        f"rows, in each {over} in which none is missing. From {results.directory}."
    )
    header = [columns or "", rows or "", "n", "mean", "median", "lowest", "highest"]
    yield Table(f"{title}: over {over}", caption, header, cells, folded=len(cells) > 40)
    yield from _spread(results, scores, metric, rows, f"{title}: spread over {over}")


def _spread(
    results: SweepResults,
    scores: Mapping[str, Mapping[str, Scores]],
    metric: str,
    rows: Optional[str],
    title: str,
) -> Iterator[Block]:
    """Violins, where there are enough different scores for one."""
    places = list(dict.fromkeys(row for of_rows in scores.values() for row in of_rows))
    series = {
        column: [np.array(list(of_rows.get(row, {}).values())) for row in places] for column, of_rows in scores.items()
    }
    if not any(map(is_spread, series.values())) or len(places) * len(series) > _MOST_VIOLINS:
        return
    caption = (
        f"{metric} of each of {', '.join(results.repeat)}: violins with their median where they differ, otherwise a "
        f"mark at the mean. From {results.directory}."
    )
    yield Plot(title, caption, violins(places, series, rows or "", metric))


def _average(of_rows: Sequence[Scores]) -> List[float]:
    """The mean over rows in each repetition that all have."""
    return [float(np.mean([row[key] for row in of_rows])) for key in of_rows[0] if all(key in row for row in of_rows)]


def _cells(column: str, row: str, scores: List[float]) -> List[Cell]:
    numbers = [float(np.median(scores)), min(scores), max(scores)] if scores else [np.nan] * 3
    mean = float(np.mean(scores)) if scores else np.nan
    spread = float(np.std(scores, ddof=1)) if len(scores) > 1 else np.nan
    return [column, row, plain(len(scores)), Number(mean, spread), *map(Number, numbers)]
