import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest

from attribution.reports import Plot
from attribution.reports.repetitions import repetitions
from attribution.reports.sweep_results import SweepResults
from tests.reports.conftest import write_csv

METRIC = "test.accuracy"


def _rows(results: SweepResults) -> List[List[str]]:
    blocks: List[Any] = list(repetitions(results, results.results, METRIC, "TASK", "ARM", METRIC))
    return [[str(cell) for cell in row] for table in blocks for row in (table.header, *table.rows)]


def test_average_of_each_repetition_then_of_each_row(sweep: Path) -> None:
    header, *rows = _rows(SweepResults(sweep))
    assert header == ["ARM", "TASK", "n", "mean", "median", "lowest", "highest"]
    # Seed 1: (.50 + 0 + .80) / 3; seed 2: (.52 + 0 + .80) / 3.
    assert rows[0] == ["none", "average", "2", "0.437 ± 0.005", "0.437", "0.433", "0.440"]
    # rte is missing in all repetitions of dense.
    assert rows[2] == ["dense", "average", "0", "–", "–", "–", "–"]
    assert rows[3] == ["none", "boolq", "2", "0.510 ± 0.014", "0.510", "0.500", "0.520"]
    assert rows[7] == ["bm25", "copa", "2", "0.150 ± 0.071", "0.150", "0.100", "0.200"]


def test_nothing_without_repetitions(sweep: Path) -> None:
    results = SweepResults(sweep)
    results.runs = [run for run in results.runs if run.place["SEED"] == "1"]
    assert _rows(results) == []


def test_one_row_has_no_average(sweep: Path) -> None:
    results = SweepResults(sweep)
    part = [result for result in results.results if result.place["TASK"] == "boolq"]
    (table,) = repetitions(results, part, METRIC, "TASK", "ARM", METRIC)
    assert [str(row[1]) for row in table.rows] == ["boolq"] * 3  # type: ignore[union-attr]


@pytest.mark.parametrize("rows, columns", [(None, "ARM"), ("TASK", None)])
def test_without_an_axis_the_metric_names_it(rows: Any, columns: Any, sweep: Path) -> None:
    results = SweepResults(sweep)
    part = [one for one in results.results if one.place["TASK" if rows is None else "ARM"] in ("boolq", "bm25")]
    (table,) = repetitions(results, part, METRIC, rows, columns, METRIC)
    assert all(METRIC in row for row in table.rows)  # type: ignore[union-attr]


def test_enough_repetitions_are_violins(tmp_path: Path) -> None:
    """As of random sets of checkpoints beside the same chosen ones in every round."""
    axes: Dict[str, List[Any]] = {"K": [1, 2], "SELECTOR": ["mmi", "random"], "ROUND": list(range(8))}
    settings = {"axes": axes, "steps": {}, "repeat": ["ROUND"], "choose": [], "metrics": [METRIC]}
    (tmp_path / "sweep.json").write_text(json.dumps(settings))
    scores = {
        (size, selector): [0.7 + size / 10 if selector == "mmi" else size / 10 + number / 100 for number in range(8)]
        for size in (1, 2)
        for selector in axes["SELECTOR"]
    }
    runs = [[*place, number, score] for place, found in scores.items() for number, score in enumerate(found)]
    write_csv(tmp_path / "runs.csv", [["K", "SELECTOR", "ROUND", METRIC], *runs])
    means = [[*place, 8, np.mean(found), np.std(found, ddof=1)] for place, found in scores.items()]
    write_csv(tmp_path / "results.csv", [["K", "SELECTOR", "n", f"{METRIC}_mean", f"{METRIC}_std"], *means])
    results = SweepResults(tmp_path)
    _, plot = repetitions(results, results.results, METRIC, "K", "SELECTOR", METRIC)
    assert isinstance(plot, Plot) and plot.title == "test.accuracy: spread over ROUND"
    (axis,) = plot.figure.axes
    marks = [line.get_ydata().tolist() for line in axis.lines if line.get_marker() == "o"]
    assert marks[0] == pytest.approx([0.8, 0.9]) and marks[1] == pytest.approx(scores[1, "random"])
