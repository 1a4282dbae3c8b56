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
    # rte: F1 2/3 of yes, 0 of no. stars: two points, 5 and 3 against 5 and 1.
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
    assert values["fewshot_gym/squad"] == pytest.approx(measure(QaF1(), predictions[1::2], details[1::2])["qa_f1"])


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
