import json
import math
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import Plot, SweepSection, Table
from tests.reports.conftest import write_csv

pytest.importorskip("matplotlib")


def _tables(path: Path, **settings: Any) -> Dict[str, Table]:
    return {block.title: block for block in SweepSection(path, **settings).blocks() if isinstance(block, Table)}


def _texts(table: Table) -> List[List[str]]:
    return [[str(cell) for cell in row] for row in (table.header, *table.rows, table.summary)]


def test_the_table(sweep: Path) -> None:
    table = _tables(sweep)["test.accuracy"]
    assert _texts(table) == [
        ["TASK", "none", "bm25", "dense"],
        ["boolq", "0.510 ± 0.014", "0.620 ± 0.028", "0.560 ± 0.014"],
        ["copa", "0.000 ± 0.000", "0.150 ± 0.071", "0.000 ± 0.000"],
        ["rte", "0.800 ± 0.000", "0.720 ± 0.028", "–"],
        ["average of 2 complete rows", "0.255", "0.385", "0.280"],
    ]
    assert [[cell.best for cell in row[1:]] for row in table.rows] == [  # type: ignore[union-attr]
        [False, True, False],
        [False, True, False],
        [True, False, False],
    ]
    assert "n = 2 but 0 of rte, dense." in table.caption and str(sweep) in table.caption


def test_rows_and_columns_may_be_exchanged(sweep: Path) -> None:
    table = _tables(sweep, rows="ARM")["test.accuracy"]
    assert table.header == ["ARM", "boolq", "copa", "rte"] and [row[0] for row in table.rows] == [
        "none",
        "bm25",
        "dense",
    ]
    assert _texts(_tables(sweep, columns="TASK")["test.accuracy"]) == _texts(table)


def test_gains_over_a_baseline(sweep: Path) -> None:
    tables = _tables(sweep, baseline="ARM=none")
    assert _texts(tables["test.accuracy: gain of each row"]) == [
        ["TASK", "bm25", "dense"],
        ["boolq", "+21.6", "+9.8"],
        ["copa", "–", "–"],
        ["rte", "−10.0", "–"],
        ["ARG", "+5.8", "+9.8"],
    ]
    over = tables["test.accuracy: over ARM=none"]
    # (0.62 - 0.51) / 0.51 and (0.72 - 0.8) / 0.8; the baseline of copa is 0.
    assert over.rows[0][1].value == pytest.approx(100 * (0.11 / 0.51 - 0.08 / 0.8) / 2)  # type: ignore[union-attr]
    header, bm25, dense, _ = _texts(over)
    assert header[2:8] == ["rows", "left out", "wins", "losses", "ties", "difference"]
    assert bm25[2:8] == ["2", "1", "2", "1", "0", "+0.060"] and bm25[10] == "6"
    assert dense[2:8] == ["1", "1", "1", "0", "1", "+0.025"] and dense[10] == "4"
    # The ranks of .10 .12 .10 .20 are 3.5 5 3.5 6, and of -.10 -.06 2 and 1 or so.
    assert "Ye et al., 2021, CrossFit" in over.caption and "Wilcoxon" in over.caption
    assert header[13] == "p from" and bm25[13] == dense[13] == "all signs"
    assert "over all signs, ties or not, up to 50 pairs that differ, and is the normal approx" in over.caption


def test_means_that_are_equal_on_paper_are_both_the_best(sweep: Path) -> None:
    path = sweep / "results.csv"
    lines = path.read_text().splitlines()
    header, means = lines[0].split(","), {"none": "0.2", "bm25": "0.3", "dense": str(0.1 + 0.2)}
    for number, line in enumerate(lines[1:], start=1):
        cells = dict(zip(header, line.split(",")))
        if cells["TASK"] == "boolq":
            cells["test.accuracy_mean"] = means[cells["ARM"]]
        lines[number] = ",".join(cells.values())
    path.write_text("\n".join(lines) + "\n")
    row = _tables(sweep)["test.accuracy"].rows[0]
    assert [cell.best for cell in row[1:]] == [False, True, True]  # type: ignore[union-attr]


def test_pairs_are_at_the_chosen_values(sweep: Path) -> None:
    """All runs at the other learning rate have .01: with them the difference would be half as large."""
    over = _tables(sweep, baseline="ARM=none")["test.accuracy: over ARM=none"]
    assert over.rows[0][7].value == pytest.approx((0.11 + 0.15 - 0.08) / 3)  # type: ignore[union-attr]


def test_each_value_of_a_third_axis_has_a_table(sweep: Path) -> None:
    settings = json.loads((sweep / "sweep.json").read_text())
    settings["repeat"], settings["choose"] = [], ["LEARNING_RATE"]
    (sweep / "sweep.json").write_text(json.dumps(settings))
    columns = ["model.best_validation_accuracy", "test.accuracy"]
    kinds = [f"{name}_{kind}" for name in columns for kind in ("mean", "std")]
    rows = [
        [task, arm, seed, "0.0005", 1, 0.5, "", 0.1 * seed, ""]
        for task in ("boolq", "rte")
        for arm in ("none", "bm25")
        for seed in (1, 2)
    ]
    write_csv(sweep / "results.csv", [["TASK", "ARM", "SEED", "LEARNING_RATE", "n", *kinds], *rows])
    tables = _tables(sweep, baseline="ARM=none")
    assert tables["test.accuracy, SEED=1"].header == ["TASK", "none", "bm25"]
    assert _texts(tables["test.accuracy, SEED=2"])[1] == ["boolq", "0.200", "0.200"]
    over = tables["test.accuracy, SEED=2: over ARM=none"]
    assert [str(cell) for cell in over.rows[0][1:7]] == ["+0.0", "2", "0", "0", "0", "2"]


def test_of_a_loss_the_lowest_is_the_best(sweep: Path) -> None:
    for name in ("sweep.json", "runs.csv", "results.csv"):
        (sweep / name).write_text((sweep / name).read_text().replace("test.accuracy", "test.loss"))
    table = _tables(sweep)["test.loss"]
    assert [cell.best for cell in table.rows[0][1:]] == [True, False, False]  # type: ignore[union-attr]
    assert "the lowest" in table.caption
    gains = _tables(sweep, baseline="ARM=none")["test.loss: gain of each row"]
    assert str(gains.rows[0][1]) == "−21.6"


def test_a_sweep_of_one_run(tmp_path: Path) -> None:
    settings: Dict[str, Any] = {"axes": {"TASK": ["rte"]}, "metrics": ["test.accuracy"]}
    (tmp_path / "sweep.json").write_text(json.dumps(settings))
    write_csv(tmp_path / "runs.csv", [["TASK", "test.accuracy"], ["rte", 0.5]])
    write_csv(tmp_path / "results.csv", [["TASK", "n", "test.accuracy_mean", "test.accuracy_std"], ["rte", 1, 0.5, ""]])
    tables = _tables(tmp_path)
    assert _texts(tables["test.accuracy"]) == [["TASK", "test.accuracy"], ["rte", "0.500"], []]
    assert _texts(tables["All results"])[:2] == [["TASK", "n", "test.accuracy"], ["rte", "1", "0.500"]]
    over = _tables(tmp_path, baseline="TASK=rte")["test.accuracy: over TASK=rte"]
    assert over.rows == []


def test_before_a_run_has_ended(sweep: Path) -> None:
    header, *lines = (sweep / "results.csv").read_text().splitlines()
    empty = [",".join([*line.split(",")[:2], "", "0", "", "", "", ""]) for line in lines]
    (sweep / "results.csv").write_text("\n".join([header, *empty]) + "\n")
    blocks = list(SweepSection(sweep, baseline="ARM=none").blocks())
    assert "test.accuracy: there is no number yet." in blocks
    assert [block.title for block in blocks if isinstance(block, (Table, Plot))] == ["All results"]


def _untrained(sweep: Path, test: float) -> None:
    """The arm `none` has no development score, and the same test score at each learning rate; empty ones for nan."""
    text = "" if math.isnan(test) else str(test)
    for name, header in (("runs.csv", None), ("results.csv", "none")):
        first, *lines = (sweep / name).read_text().splitlines()
        for number, line in enumerate(lines):
            cells = line.split(",")
            if cells[1] == "none" and header is None:
                lines[number] = ",".join([*cells[:4], "", text])
            elif cells[1] == "none":
                lines[number] = ",".join([*cells[:2], "", "2" if text else "0", "", "", text, "0.0" if text else ""])
        (sweep / name).write_text("\n".join([first, *lines]) + "\n")


def test_a_baseline_without_training(sweep: Path) -> None:
    _untrained(sweep, 0.4)
    over = _tables(sweep, baseline="ARM=none")["test.accuracy: over ARM=none"]
    assert _texts(over)[1][2] == "3" and _texts(over)[1][10] == "6"
    assert over.rows[0][7].value == pytest.approx((0.62 + 0.15 + 0.72) / 3 - 0.4)  # type: ignore[union-attr]


def test_a_baseline_without_numbers(sweep: Path) -> None:
    _untrained(sweep, float("nan"))
    with pytest.raises(ConfigurationError, match="nothing in .* can be compared with ARM=none: no row has a number th"):
        list(SweepSection(sweep, baseline="ARM=none").blocks())
    settings = json.loads((sweep / "sweep.json").read_text())
    settings["metrics"] = ["model.best_validation_accuracy", "test.accuracy"]
    (sweep / "sweep.json").write_text(json.dumps(settings))
    _untrained(sweep, 0.4)
    blocks = list(SweepSection(sweep, baseline="ARM=none").blocks())
    said = "model.best_validation_accuracy: no row has a number at ARM=none and elsewhere to compare."
    assert said in blocks and "test.accuracy: over ARM=none" in [getattr(block, "title", "") for block in blocks]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"rows": "TOSK"}, "rows: there is no 'TOSK'; .* has the axes TASK, ARM in its tables"),
        ({"columns": "SEED"}, "columns: there is no 'SEED'"),
        ({"rows": "ARM", "columns": "ARM"}, "rows and columns are both ARM"),
        ({"baseline": "ORM=none"}, "baseline: there is no axis 'ORM' for 'ORM=none'; .* has the axes TASK, ARM"),
        ({"baseline": "none"}, "baseline: there is no axis 'none'"),
        ({"baseline": "ARM=nothing"}, "baseline: ARM has no 'nothing' in .*; it has none, bm25, dense"),
        ({"baseline": "ARM=none", "rows": "ARM"}, "baseline: ARM makes no columns here"),
        ({"baseline": "ARM=none", "columns": "TASK"}, "baseline: ARM makes no columns here"),
    ],
)
def test_a_wrong_setting(settings: Dict[str, str], message: str, sweep: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(SweepSection(sweep, **settings).blocks())


def test_a_sweep_that_measures_nothing(sweep: Path) -> None:
    settings = json.loads((sweep / "sweep.json").read_text())
    (sweep / "sweep.json").write_text(json.dumps({**settings, "metrics": [], "development": None}))
    with pytest.raises(ConfigurationError, match="names neither metrics nor development"):
        list(SweepSection(sweep).blocks())
