import json
from pathlib import Path
from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.metrics import ClassificationF1, FewShotGym, QaF1
from tests.metrics.conftest import measure, random_rows

TABLE = {
    "rte": "Classification-F1",
    "cola": {"metric": "Matthew-Correlation", "category": "other"},
    "stars": "Pearson-Correlation",
    "race": "ACC",
    "lama": "EM",
    "squad": "QA-F1",
}


@pytest.fixture
def table(tmp_path: Path) -> Callable[[Any], str]:
    def write(content: Any) -> str:
        path = tmp_path / "metrics.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_each_task_by_its_metric_and_the_mean_of_tasks(table: Any) -> None:
    rows = [
        ("rte", "yes", ["yes"]),
        ("rte", "yes", ["no"]),
        ("cola", "1", ["1"]),
        ("cola", "0", ["0"]),
        ("stars", "5", ["5.0"]),
        ("stars", "none", ["1"]),
        ("race", "the cat", ["cat", "THE CAT "]),
        ("race", "cat", ["the cat"]),
        ("lama", "the cat", ["cat"]),
        ("squad", "black cat", ["cat"]),
    ]
    predictions, details = zip(*[(text, {"task": task, "references": gold}) for task, text, gold in rows])
    # rte: F1 2/3 of yes, 0 of no. cola: its classes are not CoLA's own. stars: two points, 5 and 3 against 5 and 1.
    expected = {"cola": 1.0, "lama": 1.0, "race": 0.5, "rte": 1 / 3, "squad": 2 / 3, "stars": 1.0}
    assert measure(FewShotGym(table(TABLE)), predictions, details) == pytest.approx(
        {"fewshot_gym": sum(expected.values()) / 6, **{f"fewshot_gym/{task}": expected[task] for task in expected}}
    )


def test_equals_the_metrics_on_their_own(table: Any) -> None:
    predictions, details = random_rows(seed=14)
    tasks = [("rte", "squad")[number % 2] for number in range(200)]
    values = measure(
        FewShotGym(table(TABLE)), predictions, [{**row, "task": task} for row, task in zip(details, tasks)]
    )
    alone = measure(ClassificationF1(), predictions[::2], details[::2])["classification_f1"]
    assert values["fewshot_gym/rte"] == pytest.approx(alone)
    alone = measure(QaF1(empty_matches=False), predictions[1::2], details[1::2])["qa_f1"]
    assert values["fewshot_gym/squad"] == pytest.approx(alone)


@pytest.mark.parametrize("settings, f1", [({}, 5 / 9), ({"classes": "union"}, 5 / 9), ({"classes": "gold"}, 5 / 6)])
def test_what_is_no_class_by_both_published_rules(settings: Any, f1: float, table: Any) -> None:
    """CrossFit and task-level mixtures of experts: a class of its own. Weight ensembling: none."""
    rows = [
        *(("rte", text, gold) for text, gold in zip(["pos", "pos maybe", "neg", "neg"], ["pos", "pos", "neg", "neg"])),
        ("cola", "acceptable", "acceptable"),
        ("cola", "acceptable", "unacceptable"),
        ("cola", "so so", "unacceptable"),
        ("cola", "unacceptable", "unacceptable"),
        ("squad", "", "A"),
    ]
    predictions, details = zip(*[(text, {"task": task, "references": [gold]}) for task, text, gold in rows])
    values = measure(FewShotGym(table(TABLE), **settings), predictions, details)
    found = [values[f"fewshot_gym/{task}"] for task in ("rte", "cola", "squad")]
    assert found == pytest.approx([f1, 1 / 3**0.5, 0.0])
    with pytest.raises(ConfigurationError, match="classes 'all' is none of union, gold"):
        FewShotGym(table(TABLE), classes="all")


def test_rouge_l(table: Any) -> None:
    pytest.importorskip("rouge_score")
    metric = FewShotGym(table({"xsum": "Rouge-L"}))
    metric(["a cat"], [{"task": "xsum", "references": ["cat"]}])
    assert metric.get_metric() == pytest.approx({"fewshot_gym": 2 / 3, "fewshot_gym/xsum": 2 / 3})


@pytest.mark.parametrize(
    "content, message",
    [
        ({"rte": "F1"}, "metrics.json: rte has 'F1', which is none of ACC, Classification-F1"),
        ("{", "metrics.json: not a JSON object from tasks to metrics"),
        ([], "metrics.json: not a JSON object from tasks to metrics"),
        ({"rte": {"category": "other"}}, "metrics.json: not a JSON object from tasks to metrics"),
        ({"rte": ["ACC"]}, "metrics.json: not a JSON object from tasks to metrics"),
    ],
)
def test_a_bad_table(content: Any, message: str, table: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FewShotGym(table(content))


def test_bad_rows_and_paths(table: Any) -> None:
    with pytest.raises(ConfigurationError, match="/nowhere.json: no such file"):
        FewShotGym("/nowhere.json")
    metric = FewShotGym(table(TABLE))
    with pytest.raises(ConfigurationError, match="metrics.json: no metric for the task 'imdb'"):
        metric(["yes"], [{"task": "imdb", "references": ["yes"]}])
    with pytest.raises(ConfigurationError, match="needs 'task' in the details"):
        metric(["yes"], [{"references": ["yes"]}])
