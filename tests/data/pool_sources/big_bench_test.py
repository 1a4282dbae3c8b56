import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.pool_sources import PoolRow, PoolSource

# Made up, in the format of the benchmark's own `task.json`.
CHOICE = {
    "name": "made_up",
    "keywords": ["multiple choice"],
    "metrics": ["multiple_choice_grade"],
    "preferred_score": "multiple_choice_grade",
    "examples": [
        {"input": "Is fire hot?", "target_scores": {"Yes": 1, "No": 0}},
        {"input": "Is ice hot?", "target_scores": {"Yes": 0, "No": 1}},
    ],
}
FREE = {
    "task_prefix": "Add. ",
    "example_input_prefix": "",
    "example_output_prefix": " =",
    "append_choices_to_input": False,
    "examples": [
        {"input": "1 + 1", "target": ["2", "two"]},
        {"input": "1 + 2", "target": "3"},
        {"input": "1 + 3", "target_scores": {"4": 1.0, "5": 0.5}},
    ],
}


def _rows(folder: Path, tasks: Dict[str, Any], **settings: Any) -> List[Any]:
    for name, content in tasks.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "task.json").write_text(json.dumps(content))
    source = PoolSource.from_params(Params({"type": "big_bench", "path": str(folder), **settings}))
    return [row.content if isinstance(row, PoolRow) else row for row in source.rows()]


def test_choices_stand_below_the_question(tmp_path: Path) -> None:
    fire, ice = _rows(tmp_path, {"hot": CHOICE})
    orders = ("\n  choice: Yes\n  choice: No", "\n  choice: No\n  choice: Yes")
    assert fire["input"] in [f"Q: Is fire hot?{order}\nA:" for order in orders]
    assert (fire["target"], fire["answer_choices"], fire["task"]) == ("Yes", ["Yes", "No"], "hot")
    assert (ice["target"], ice["id"]) == ("No", "hot|all|default|#1")


def test_a_task_says_what_stands_around_an_example(tmp_path: Path) -> None:
    rows = _rows(tmp_path, {"sums/small": FREE}, keep=["references"])
    assert [row["input"] for row in rows] == ["Add. 1 + 1 =", "Add. 1 + 2 =", "Add. 1 + 3 ="]
    assert [row["target"] for row in rows] == ["2", "3", "4"] and rows[0]["references"] == ["2", "two"]
    assert rows[2]["answer_choices"] == ["4", "5"] and rows[0]["task"] == "small"


def test_several_tasks_in_the_order_of_their_names(tmp_path: Path) -> None:
    rows = _rows(tmp_path, {"sums": FREE, "hot": CHOICE}, seed=3)
    assert [row["task"] for row in rows] == ["hot"] * 2 + ["sums"] * 3
    assert rows == _rows(tmp_path, {}, seed=3)
    assert len({str(_rows(tmp_path, {}, seed=seed)) for seed in range(9)}) > 1  # The order of the choices.


def test_rows_do_not_depend_on_where_the_folder_is(tmp_path: Path) -> None:
    many = {"examples": [{"input": f"{n}?", "target_scores": {"a": 1, "b": 1, "c": 1}} for n in range(9)]}
    one, other = (_rows(tmp_path / place, {"t": many}) for place in ("here", "there"))
    assert one == other and len({row["target"] for row in one}) > 1


@pytest.mark.parametrize(
    "example, message",
    [
        ({"target": "x"}, "no text under `input`"),
        ({"input": "x"}, "neither `target_scores` nor a `target`"),
        ({"input": "x", "target": []}, "neither `target_scores` nor a `target`"),
        ({"input": "x", "target_scores": {}}, "`target_scores` is no object of numbers"),
        ({"input": "x", "target_scores": {"a": True}}, "`target_scores` is no object of numbers"),
        ({"input": "x", "target_scores": {"a": float("nan")}}, "`target_scores` is no object of numbers"),
        ("x", "no text under `input`"),
    ],
)
def test_a_bad_example_is_named(example: Any, message: str, tmp_path: Path) -> None:
    bad, good = _rows(tmp_path, {"t": {"examples": [example, {"input": "x", "target": "y"}]}})
    assert isinstance(bad, RowError) and "task.json: example 0" in str(bad) and message in str(bad)
    assert good["target"] == "y"


@pytest.mark.parametrize(
    "task, message",
    [
        ({"examples": {}}, "a list `examples`"),
        ({"examples": [], "append_choices_to_input": "no"}, "a list `examples`, and true or false"),
        ({"examples": [], "task_prefix": None}, "a text `task_prefix`"),
        ([], "a JSON object is needed"),
    ],
)
def test_what_is_no_task(task: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"task.json: .*{message}"):
        _rows(tmp_path, {"t": task})


def test_a_folder_without_tasks(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no task.json"):
        _rows(tmp_path, {})
