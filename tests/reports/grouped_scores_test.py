import json
from pathlib import Path
from typing import Any, List

from attribution.reports.grouped_scores import grouped_scores
from attribution.reports.sweep_results import SweepResults


def _measure(sweep: Path, place: str, **scores: float) -> None:
    folder = sweep / "test" / place
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({name.replace("__", "/"): value for name, value in scores.items()}))


def _rows(sweep: Path, columns: List[str]) -> List[List[str]]:
    blocks: List[Any] = list(grouped_scores(SweepResults(sweep), "test.accuracy", columns))
    return [[str(cell) for cell in row] for table in blocks for row in (table.header, *table.rows)]


def test_means_over_the_runs_at_the_chosen_values(sweep: Path) -> None:
    for seed, score in ((1, 0.2), (2, 0.4)):
        place = f"TASK=boolq,ARM=dense,LEARNING_RATE=0.0005,SEED={seed}"
        _measure(sweep, place, accuracy=0.5, accuracy__one=score, accuracy__two=0.6, accuracy_of_tokens=1.0)
    _measure(sweep, "TASK=boolq,ARM=none,LEARNING_RATE=0.0005,SEED=1", accuracy=0.5, accuracy__one=0.1)
    _measure(sweep, "TASK=boolq,ARM=none,LEARNING_RATE=0.001,SEED=1", accuracy__one=0.9)
    assert _rows(sweep, ["ARM"]) == [
        ["TASK", "group", "none", "dense"],
        ["boolq", "one", "0.100", "0.300 ± 0.141"],
        ["boolq", "two", "–", "0.600 ± 0.000"],
    ]
    assert _rows(sweep, [])[:2] == [
        ["TASK", "ARM", "group", "test.accuracy"],
        ["boolq", "dense", "one", "0.300 ± 0.141"],
    ]


def test_nothing_where_nothing_was_grouped(sweep: Path) -> None:
    assert _rows(sweep, ["ARM"]) == []
    _measure(sweep, "TASK=boolq,ARM=none,LEARNING_RATE=0.0005,SEED=1", accuracy=0.5)
    assert _rows(sweep, ["ARM"]) == []
