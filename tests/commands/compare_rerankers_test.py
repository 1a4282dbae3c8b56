import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest

from attribution.commands.compare_rerankers import compare
from attribution.similarity import SimilarityMatrix


def _reranking(folder: Path, targets: Dict[str, List[Any]]) -> Path:
    for name, scores in targets.items():
        (folder / name).mkdir(parents=True)
        rows = [{"input": "a", "index_id": number, "reranker_score": score} for number, score in scores]
        (folder / name / "retrieved.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = [folder.name] if "." in targets else list(targets)
    SimilarityMatrix(names, ["task"], np.ones((len(names), 1)), True, "task").save(folder / "composition.npz")
    return folder


def test_by_hand() -> None:
    result = compare({1: 0.9, 2: 0.8, 3: 0.7, 4: 0.6}, {1: 5.0, 3: 4.0, 2: 3.0, 9: 2.0})
    # Of 1, 2, 3 one pair of three is turned round: 2 and 3, which are one rank away each.
    assert result == {
        "shared": 3,
        "share": 0.75,
        "kendall": pytest.approx(1 / 3),
        "spearman": pytest.approx(0.5),
        "displacement": pytest.approx(2 / 3),
        "squared_displacement": pytest.approx(2 / 3),
        "largest_displacement": 1.0,
    }


def test_what_is_not_defined() -> None:
    assert compare({1: 0.9}, {2: 0.8})["kendall"] is None
    assert compare({1: 0.9}, {2: 0.8})["displacement"] == 0
    assert compare({1: 0.5, 2: 0.5}, {1: 0.1, 2: 0.2})["spearman"] is None


def test_targets_of_two_directories(allennlp: Any, tmp_path: Path) -> None:
    one = _reranking(tmp_path / "one", {"a": [(1, 0.3), (2, 0.2)], "b": [(1, 0.3), (2, 0.2)]})
    other = _reranking(tmp_path / "other", {"a": [(1, 0.3), (2, 0.2)], "b": [(2, 0.3), (1, 0.2)]})
    result = allennlp("compare-rerankers", one, other, "--output-file", tmp_path / "compared.json")
    assert result.status == 0, result.stderr
    found = json.loads((tmp_path / "compared.json").read_text())
    assert (found["a"]["kendall"], found["b"]["kendall"]) == (1, -1)
    assert "squared displacement: mean 0.5, standard deviation 0.5" in result.stdout


def test_mistakes(allennlp: Any, tmp_path: Path) -> None:
    one = _reranking(tmp_path / "one", {"a": [(1, 0.3)]})
    other = _reranking(tmp_path / "other", {"b": [(1, None)]})
    same = _reranking(tmp_path / "same", {"a": [(1, None)]})
    (tmp_path / "empty").mkdir()
    for second, message in (
        (other, "the targets are ['a'] and ['b'], not the same"),
        (same, "retrieved.jsonl:1: has no reranker_score"),
        (tmp_path / "empty", "has no composition.npz"),
    ):
        result = allennlp("compare-rerankers", one, second)
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr
