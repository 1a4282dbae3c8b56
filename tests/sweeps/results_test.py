import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from attribution.sweeps.results import Measured, Results, Values, summary_table, undecided
from attribution.sweeps.run import Run
from attribution.sweeps.sweep import PlannedPoint, Sweep

STEPS = {
    "model": {"command": "train", "config": "x"},
    "test": {"command": "evaluate", "archive": "{model}/a", "input": "x"},
}


def _sweep(**settings: Any) -> Sweep:
    defaults: Dict[str, Any] = {
        "axes": {"LR": [0.001, 0.0005], "SEED": [13, 42], "TASK": ["boolq", "anli"]},
        "steps": STEPS,
        "repeat": ["SEED"],
        "choose": ["LR"],
        "development": "model.dev",
        "metrics": ["test.accuracy", "model.dev"],
    }
    return Sweep.from_params(Params(deepcopy({**defaults, **settings})))


def _measured(task: str, lr: float, seed: int, dev: Optional[float], test: Optional[float]) -> Measured:
    values: Values = {} if dev is None else {"model.dev": dev}
    values.update({} if test is None else {"test.accuracy": test})
    return Measured({"LR": lr, "SEED": seed, "TASK": task}, values)


MEASURED = [
    _measured("boolq", 0.001, 13, 0.5, 0.1),
    _measured("boolq", 0.001, 42, 0.7, 0.2),  # Mean 0.6.
    _measured("boolq", 0.0005, 13, 0.9, 0.3),
    _measured("boolq", 0.0005, 42, 0.5, 0.7),  # Mean 0.7; a sample deviation of 0.4 / sqrt(2).
    _measured("anli", 0.001, 13, 0.4, 0.5),
    _measured("anli", 0.001, 42, 0.2, None),  # Does not count: its test failed.
    _measured("anli", 0.0005, 13, 0.4, 0.6),  # As good as the first.
    _measured("anli", 0.0005, 42, None, None),
]


def _dictionaries(table: List[List[str]]) -> List[Dict[str, str]]:
    return [dict(zip(table[0], row)) for row in table[1:]]


def test_mean_deviation_and_best_by_hand() -> None:
    table = summary_table(_sweep(), MEASURED)
    assert table[0] == [
        "TASK", "LR", "n", "model.dev_mean", "model.dev_std", "test.accuracy_mean", "test.accuracy_std",
    ]  # fmt: skip
    boolq, anli = _dictionaries(table)
    assert (boolq["TASK"], boolq["LR"], boolq["n"]) == ("boolq", "0.0005", "2")
    assert float(boolq["model.dev_mean"]) == pytest.approx(0.7)
    assert float(boolq["model.dev_std"]) == pytest.approx(0.282842712)
    assert float(boolq["test.accuracy_mean"]) == pytest.approx(0.5)
    assert float(boolq["test.accuracy_std"]) == pytest.approx(0.282842712)
    assert anli == {
        "TASK": "anli",
        "LR": "0.001",
        "n": "1",
        "model.dev_mean": "0.4",
        "model.dev_std": "",
        "test.accuracy_mean": "0.5",
        "test.accuracy_std": "",
    }


def test_lower_is_better() -> None:
    boolq, _ = _dictionaries(summary_table(_sweep(higher_is_better=False), MEASURED))
    assert boolq["LR"] == "0.001" and float(boolq["model.dev_mean"]) == pytest.approx(0.6)


def test_nothing_repeated_or_chosen() -> None:
    sweep = _sweep(repeat=None, choose=None, development=None, metrics=["test.accuracy"])
    table = summary_table(sweep, MEASURED)
    assert table[0] == ["LR", "SEED", "TASK", "n", "test.accuracy_mean", "test.accuracy_std"]
    assert table[1] == ["0.001", "13", "boolq", "1", "0.1", ""] and table[8][3:] == ["0", "", ""] and len(table) == 9


def test_a_loss_that_is_no_number_is_never_the_best() -> None:
    measured = [_measured("boolq", 0.001, 13, float("nan"), 0.1), _measured("boolq", 0.0005, 13, 0.2, 0.3)]
    assert _dictionaries(summary_table(_sweep(), measured))[0]["LR"] == "0.0005"
    [row] = _dictionaries(summary_table(_sweep(), measured[:1]))
    assert (row["LR"], row["n"], row["model.dev_mean"]) == ("", "0", "")


def test_an_arm_without_training_keeps_its_scores() -> None:
    """Nothing was trained, so there is no development score, and it is the same at each learning rate."""
    untrained = [
        _measured("boolq", rate, seed, None, 0.3 + seed / 1000) for rate in (0.001, 0.0005) for seed in (13, 42)
    ]
    boolq, anli = _dictionaries(summary_table(_sweep(), [*untrained, *MEASURED[4:]]))
    assert (boolq["LR"], boolq["n"], boolq["model.dev_mean"]) == ("", "2", "")
    assert float(boolq["test.accuracy_mean"]) == pytest.approx(0.3275)
    assert anli["LR"] == "0.001" and undecided(_sweep(), [*untrained, *MEASURED[4:]]) == []


def test_where_nothing_says_which_is_the_best() -> None:
    measured = [_measured("boolq", 0.001, 13, None, 0.1), _measured("boolq", 0.0005, 13, None, 0.2), *MEASURED[4:]]
    boolq, _ = _dictionaries(summary_table(_sweep(), measured))
    assert (boolq["LR"], boolq["n"]) == ("", "0") and undecided(_sweep(), measured) == ["TASK=boolq"]


def test_the_best_of_each_sample_as_a_gym_is_tuned() -> None:
    """Four runs: of each sample the rate that its own development rows choose; or one rate for both."""
    measured = [
        _measured("boolq", 0.001, 13, 0.8, 0.9),
        _measured("boolq", 0.001, 42, 0.5, 0.2),
        _measured("boolq", 0.0005, 13, 0.6, 0.3),
        _measured("boolq", 0.0005, 42, 0.6, 0.6),
    ]
    [within] = _dictionaries(summary_table(_sweep(choose_within="SEED"), measured))
    assert (within["LR"], within["n"]) == ("13=0.001,42=0.0005", "2")
    assert float(within["test.accuracy_mean"]) == pytest.approx(0.75)
    assert float(within["test.accuracy_std"]) == pytest.approx(0.3 / 2**0.5)
    assert float(within["model.dev_mean"]) == pytest.approx(0.7)
    [together] = _dictionaries(summary_table(_sweep(), measured))
    assert together["LR"] == "0.001" and float(together["test.accuracy_mean"]) == pytest.approx(0.55)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=6, max_size=6))
def test_each_sample_is_chosen_for_as_if_it_were_alone(scores: List[Any]) -> None:
    rates = (0.001, 0.0005, 0.0002)
    measured = [
        _measured("boolq", rate, seed, *scores[3 * place + number])
        for place, seed in enumerate((13, 42))
        for number, rate in enumerate(rates)
    ]
    axes = {"LR": list(rates), "SEED": [13, 42], "TASK": ["boolq"]}
    [both] = _dictionaries(summary_table(_sweep(axes=axes, choose_within="SEED"), measured))
    alone = [_dictionaries(summary_table(_sweep(axes=axes), measured[:3]))[0]]
    alone += [_dictionaries(summary_table(_sweep(axes=axes), measured[3:]))[0]]
    assert both["LR"] == f"13={alone[0]['LR']},42={alone[1]['LR']}"
    found = sum(float(one["test.accuracy_mean"]) for one in alone) / 2
    assert float(both["test.accuracy_mean"]) == pytest.approx(found)


def test_a_sample_that_nothing_chooses_for_is_named() -> None:
    sweep = _sweep(choose_within="SEED")
    measured = [
        _measured("boolq", 0.001, 13, 0.5, 0.1),
        _measured("boolq", 0.0005, 13, 0.4, 0.2),
        _measured("boolq", 0.001, 42, None, 0.1),
        _measured("boolq", 0.0005, 42, None, 0.2),
        _measured("anli", 0.001, 13, None, 0.3),  # Nothing was trained.
        _measured("anli", 0.0005, 13, None, 0.3),
        _measured("anli", 0.001, 42, None, 0.5),
        _measured("anli", 0.0005, 42, None, 0.5),
    ]
    boolq, anli = _dictionaries(summary_table(sweep, measured))
    assert (boolq["LR"], boolq["n"], boolq["test.accuracy_mean"]) == ("13=0.001", "1", "0.1")
    assert (anli["LR"], anli["n"], anli["test.accuracy_mean"]) == ("", "2", "0.4")
    assert undecided(sweep, measured) == ["TASK=boolq, SEED=42"]


def test_a_sample_whose_test_failed_does_not_count() -> None:
    measured = [_measured("boolq", 0.001, 13, 0.5, None), _measured("boolq", 0.001, 42, 0.4, 0.2)]
    [boolq] = _dictionaries(summary_table(_sweep(choose_within="SEED"), measured))
    assert (boolq["LR"], boolq["n"], boolq["test.accuracy_mean"]) == ("42=0.001", "1", "0.2")


def test_tables_and_complaints(tmp_path: Path) -> None:
    sweep = _sweep(
        axes={"SEED": [1, 2]}, choose=None, development=None, metrics=["model.a.b", "model.c", "model.d", "model.name"]
    )
    runs = [Run("model", tmp_path / f"SEED={seed}", {}, {}, ()) for seed in (1, 2)]
    results = Results(sweep, [PlannedPoint({"SEED": 1}, {"model": runs[0]}), PlannedPoint({"SEED": 2}, {})], tmp_path)
    results.write()
    header = "SEED,model.a.b,model.c,model.d,model.name\n"
    assert (tmp_path / "runs.csv").read_text() == f"{header}1,,,,\n2,,,,\n" and results.complaints() == []
    runs[0].directory.mkdir()
    (runs[0].directory / "metrics.json").write_text(json.dumps({"a": {"b": 0.5}, "c": 3, "name": "x"}))
    results.write()
    assert (tmp_path / "runs.csv").read_text() == f"{header}1,,,,\n2,,,,\n"  # Not finished.
    runs[0].finish()
    results.write()
    assert (tmp_path / "runs.csv").read_text() == f"{header}1,0.5,3,,\n2,,,,\n"
    assert (tmp_path / "results.csv").read_text().splitlines()[1] == "1,0.5,,3.0,,,,,"
    assert results.complaints() == [
        f"model.{name}: model has no number {name} in metrics.json; there are: a.b, c" for name in ("d", "name")
    ]


@pytest.mark.parametrize("content", ["null", "[1]", "3"])
def test_what_was_measured_is_an_object(content: str, tmp_path: Path) -> None:
    sweep = _sweep(axes={"SEED": [1]}, choose=None, development=None, metrics=["model.a"])
    run = Run("model", tmp_path, {}, {}, ())
    (tmp_path / "metrics.json").write_text(content)
    run.finish()
    with pytest.raises(ConfigurationError, match="metrics.json: is .*; an object of measured values is needed; remove"):
        Results(sweep, [PlannedPoint({"SEED": 1}, {"model": run})], tmp_path).write()
