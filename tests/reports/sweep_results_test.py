import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports.sweep_results import SweepResults
from tests.reports.conftest import ARMS, TASKS


def test_what_a_sweep_says(sweep: Path) -> None:
    results = SweepResults(sweep)
    assert (results.repeat, results.choose, results.rest) == (["SEED"], ["LEARNING_RATE"], ["TASK", "ARM"])
    assert len(results.runs) == 36 and len(results.results) == 9
    grid = results.grid(results.results, "test.accuracy", "TASK", "ARM")
    assert (grid.rows, grid.columns) == (TASKS, ARMS)
    np.testing.assert_allclose(grid.mean, [[0.51, 0.62, 0.56], [0, 0.15, 0], [0.8, 0.72, np.nan]])
    assert grid.deviation[0, 0] == pytest.approx(0.02 / 2**0.5)
    assert grid.n.tolist() == [[2, 2, 2], [2, 2, 2], [2, 2, 0]]
    counted = results.counted(results.results[1])
    assert [run.values["test.accuracy"] for run in counted] == [0.60, 0.64]
    assert {run.place["LEARNING_RATE"] for run in counted} == {"0.0005"}


def test_the_runs_that_were_chosen_for_each_sample(sweep: Path) -> None:
    settings = json.loads((sweep / "sweep.json").read_text())
    (sweep / "sweep.json").write_text(json.dumps({**settings, "choose_within": "SEED"}))
    table = (sweep / "results.csv").read_text()
    table = table.replace("boolq,bm25,0.0005,", '"boolq","bm25","1=0.0005,2=0.001",', 1)
    table = table.replace("boolq,none,0.0005,2", '"boolq","none","2=0.001",1', 1)
    (sweep / "results.csv").write_text(table.replace(",0.0005,", ',"1=0.0005,2=0.0005",'))
    results = SweepResults(sweep)
    none, bm25, *_ = results.results
    assert [run.place["LEARNING_RATE"] for run in results.counted(bm25)] == ["0.0005", "0.001"]
    assert [run.values["test.accuracy"] for run in results.counted(bm25)] == [0.60, 0.01]
    assert [run.place["SEED"] for run in results.counted(none)] == ["2"]
    place = {"TASK": "boolq", "ARM": "bm25", "LEARNING_RATE": "0.001"}
    assert [results.counts({**place, "SEED": seed}) for seed in "12"] == [False, True] and results.counts(place)


def test_one_axis_makes_one_column(sweep: Path) -> None:
    results = SweepResults(sweep)
    part = [result for result in results.results if result.place["ARM"] == "bm25"]
    grid = results.grid(part, "test.accuracy", "TASK", None)
    assert grid.columns == ["test.accuracy"] and grid.mean[:, 0].tolist() == pytest.approx([0.62, 0.15, 0.72])


@pytest.mark.parametrize(
    "name, old, new, message",
    [
        (
            "results.csv",
            "boolq,none,0.0005,2,0.51",
            "boolq,none,0.0005,2,half",
            r"results.csv:2: not a number: .*'half'",
        ),
        (
            "results.csv",
            "boolq,bm25,0.0005,2,",
            "boolq,bm25,0.0005,2,1,",
            "results.csv:3: another number of columns: 9",
        ),
        (
            "results.csv",
            "boolq,none,0.0005,2,",
            "boolq,none,0.0005,,",
            "results.csv:2: a count that is no whole number",
        ),
        ("results.csv", "TASK,ARM", "TASK,ARMS", "results.csv:1: a column is missing: ARM;"),
        ("results.csv", "boolq,none", '"boolq"x,none', "results.csv:2: not CSV"),
        ("runs.csv", "boolq,none,0.0005,1,0.5,", "boolq,none,0.0005,1,?,", r"runs.csv:4: not a number: .*'\?'"),
    ],
)
def test_a_broken_table(name: str, old: str, new: str, message: str, sweep: Path) -> None:
    text = (sweep / name).read_text()
    assert old in text
    (sweep / name).write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigurationError, match=message):
        SweepResults(sweep)


@pytest.mark.parametrize("content, message", [(b"", "empty; run"), (b"TASK\xff\n", "not UTF-8")])
def test_a_table_that_is_none(content: bytes, message: str, sweep: Path) -> None:
    (sweep / "results.csv").write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"results.csv: {message}"):
        SweepResults(sweep)


def test_a_sweep_without_results(sweep: Path) -> None:
    (sweep / "results.csv").unlink()
    with pytest.raises(ConfigurationError, match="results.csv: missing; the sweep has not ended a run yet"):
        SweepResults(sweep)


@pytest.mark.parametrize("settings", [{"axes": ["TASK"]}, {"axes": {}, "metrics": [1]}])
def test_settings_of_something_else(settings: Any, sweep: Path) -> None:
    (sweep / "sweep.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigurationError, match="sweep.json: has no axes"):
        SweepResults(sweep)
