import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import Plot, SweepSection, Table
from attribution.reports.retrieved_tasks import composition_files, retrieved_tasks
from attribution.reports.sweep_results import SweepResults
from attribution.similarity import SimilarityMatrix

pytest.importorskip("matplotlib")


def _retrieve(sweep: Path, place: str, shares: Dict[str, List[float]], tasks: List[str], **counts: Any) -> Path:
    """What `allennlp retrieve` leaves: of one target in the folder itself, of several in a folder each."""
    folder = sweep / "rows" / place
    folder.mkdir(parents=True)
    SimilarityMatrix(list(shares), tasks, np.array([*shares.values()]), True, "task").save(folder / "composition.npz")
    content = {"rows": 8, "queries": {"used": 4, "in_evaluation": 1}, "dropped": {"equal": 2}, "tasks": {}, **counts}
    for target in shares:
        path = folder if len(shares) == 1 else folder / target
        path.mkdir(exist_ok=True)
        (path / "composition.json").write_text(json.dumps(content))
    return folder


def _blocks(sweep: Path) -> List[Any]:
    return list(retrieved_tasks(SweepResults(sweep), "TASK"))


def test_one_heat_map_of_all_targets_is_the_mean_over_repetitions(sweep: Path) -> None:
    at = "ARM=bm25,LEARNING_RATE=0.0005"
    _retrieve(sweep, f"TASK=rte,{at},SEED=1", {"pool": [0.25, 0.75]}, ["imdb", "qqp"])
    _retrieve(sweep, f"TASK=rte,{at},SEED=2", {"pool": [0.75, 0.25]}, ["imdb", "qqp"], rows=6)
    _retrieve(sweep, f"TASK=boolq,{at},SEED=1", {"pool": [1.0]}, ["qqp"])
    _retrieve(sweep, "TASK=rte,ARM=bm25,LEARNING_RATE=0.001,SEED=1", {"pool": [1.0, 0.0]}, ["imdb", "qqp"])
    plot, table, counts = _blocks(sweep)
    assert isinstance(plot, Plot) and plot.title == "Retrieved tasks, ARM=bm25"
    assert "mean over 1 to 2 retrievals" in plot.caption and str(sweep / "rows") in plot.caption
    # boolq's pool has no imdb; the task with most rows stands first, the targets as in the sweep.
    assert isinstance(table, Table)
    assert [[str(cell) for cell in row] for row in (table.header, *table.rows)] == [
        ["", "qqp", "imdb"],
        ["boolq", "100.0", "–"],
        ["rte", "50.0", "50.0"],
    ]
    assert [[str(cell) for cell in row] for row in counts.rows] == [
        ["ARM=bm25", "boolq", "8.0", "4.0", "1.0", "2.0"],
        ["ARM=bm25", "rte", "7.0", "4.0", "1.0", "2.0"],
    ]


def test_each_arm_has_its_own_and_a_search_for_several_targets_names_them(sweep: Path) -> None:
    shares = {"boolq": [0.5, 0.5], "rte": [0.0, 1.0]}
    folders = [
        _retrieve(sweep, f"ARM={arm},LEARNING_RATE=0.0005,SEED=1", shares, ["imdb", "qqp"]) for arm in ("bm25", "dense")
    ]
    first, table, second, _, counts = _blocks(sweep)
    assert [first.title, second.title] == ["Retrieved tasks, ARM=bm25", "Retrieved tasks, ARM=dense"]
    assert [row[0] for row in table.rows] == ["boolq", "rte"] and len(counts.rows) == 4
    files = composition_files(sweep)
    assert files[:3] == [
        folders[0] / name for name in ("composition.npz", "boolq/composition.json", "rte/composition.json")
    ]
    assert set(files) <= set(SweepSection(sweep).inputs())


def test_many_tasks(sweep: Path) -> None:
    names = [f"task_{number:02}" for number in range(50)]
    _retrieve(sweep, "TASK=rte,ARM=bm25,LEARNING_RATE=0.0005,SEED=1", {"pool": [0.02] * 50}, names)
    plot, table, _ = _blocks(sweep)
    assert "the first 40 of 50" in plot.caption and len(table.header) == 51


def test_nothing_was_retrieved(sweep: Path) -> None:
    assert _blocks(sweep) == []


def test_a_damaged_composition(sweep: Path) -> None:
    folder = _retrieve(sweep, "TASK=rte,ARM=bm25,LEARNING_RATE=0.0005,SEED=1", {"pool": [1.0]}, ["qqp"])
    (folder / "composition.json").write_text('{"rows": 3}')
    with pytest.raises(ConfigurationError, match="composition.json: not what `allennlp retrieve` writes"):
        _blocks(sweep)
