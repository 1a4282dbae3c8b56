import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from attribution.common.manifest import read_manifest, write_manifest
from attribution.similarity import SimilarityMatrix
from tests.rerankers import conftest  # noqa: F401  registers the reranker "tests_nearness"
from tests.retrievers import conftest as encoders  # noqa: F401  registers the encoder "tests_number"

READER = {"type": "prompted_reader", "model_name": "unused", "template": "number {{number}}", "options": ["x"]}
NEARNESS = {"type": "tests_nearness", "size": 3}


@pytest.fixture
def retrieve(write_jsonl: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    pool = [{"input": f"number {n}", "target": f"t{n}", "task": "low" if n < 10 else "high"} for n in range(20)]
    queries = [{"number": 3}, {"number": 4}, {"number": 15}]
    settings: Dict[str, Any] = {
        "pool": {"path": write_jsonl("pool.jsonl", pool)},
        "queries": {"path": write_jsonl("queries.jsonl", queries), "reader": READER},
        "retriever": {"type": "exact", "encoder": "tests_number"},
        "neighbours": 5,
        "aggregator": {"type": "frequency", "size": 6},
    }

    def make(**changes: Any) -> str:
        path = tmp_path / "retrieve.jsonnet"
        changed = {**settings, **changes}
        path.write_text(json.dumps({key: value for key, value in changed.items() if value is not None}))
        return str(path)

    return make


@pytest.fixture
def rerank(tmp_path: Path) -> Callable[..., str]:
    def make(retrieved: str = "retrieved", **reranker: Any) -> str:
        path = tmp_path / "rerank.jsonnet"
        path.write_text(json.dumps({"retrieved": str(tmp_path / retrieved), "reranker": {**NEARNESS, **reranker}}))
        return str(path)

    return make


def _lines(path: Path) -> List[Dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _products(folder: Path) -> Dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_keeps_the_best_first(retrieve: Any, rerank: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("retrieve", retrieve(), "-s", tmp_path / "retrieved").status == 0
    result = allennlp("rerank", rerank(max_queries=1), "-s", tmp_path / "best")
    assert result.status == 0, result.stderr
    rows = _lines(tmp_path / "best" / "retrieved.jsonl")
    # 4 and 2 are as near, and 4 was the better one before.
    assert [(row["index_id"], row["reranker_score"]) for row in rows] == [(3, 0), (4, -1), (2, -1)]
    assert all({"input", "target", "task", "attribution_frequency", "best_score"} <= set(row) for row in rows)
    composition = json.loads((tmp_path / "best" / "composition.json").read_text())
    assert composition == {
        "rows": 3,
        "queries": {"used": 3},
        "dropped": {},
        "reranked": {"queries": 1, "candidates": 6, "kept": 3},
        "tasks": {"low": {"rows": 3, "share": 1.0, "pool_rows": 10, "pool_share": 0.5}},
    }
    matrix = SimilarityMatrix.load(tmp_path / "best" / "composition.npz")
    assert matrix.sources == ["high", "low"] and matrix.scores.tolist() == [[0, 1]]
    assert (tmp_path / "best" / "search_log.jsonl").read_bytes() == (
        tmp_path / "retrieved" / "search_log.jsonl"
    ).read_bytes()
    assert "3 of 6 rows kept, 1 queries" in result.stdout


@pytest.mark.parametrize("several", [False, True])
def test_as_a_stage_of_the_retrieval_it_does_the_same(
    several: bool, retrieve: Any, rerank: Any, allennlp: Any, tmp_path: Path
) -> None:
    queries = json.loads(Path(retrieve()).read_text())["queries"]
    nothing = {**queries, "overlap": {"path": str(tmp_path / "pool.jsonl")}}
    three = {"one": queries, "two": {**queries, "size": 1}, "nothing": nothing}
    targets = {"queries": None, "targets": three} if several else {}
    assert allennlp("retrieve", retrieve(**targets), "-s", tmp_path / "retrieved").status == 0
    assert allennlp("rerank", rerank(), "-s", tmp_path / "later").status == 0
    result = allennlp("retrieve", retrieve(reranker=NEARNESS, **targets), "-s", tmp_path / "at_once")
    assert result.status == 0, result.stderr
    assert _products(tmp_path / "later") == _products(tmp_path / "at_once")
    if several:
        assert (tmp_path / "later" / "two" / "retrieved.jsonl").read_text().count("\n") == 3
        assert not (tmp_path / "later" / "nothing" / "retrieved.jsonl").read_text()
        result = allennlp("compare-rerankers", tmp_path / "later", tmp_path / "at_once")
        assert result.status == 0 and 'nothing: {"shared": 0, "share": 0.0' in result.stdout, result.stderr


def test_fewer_rows_than_size_times_upsampling_are_counted(
    retrieve: Any, rerank: Any, allennlp: Any, tmp_path: Path
) -> None:
    assert allennlp("retrieve", retrieve(), "-s", tmp_path / "retrieved").status == 0
    result = allennlp("rerank", rerank(size=8, upsampling=2), "-s", tmp_path / "best")
    assert result.status == 0 and "10 candidates fewer than size x upsampling" in result.stdout
    composition = json.loads((tmp_path / "best" / "composition.json").read_text())
    assert composition["reranked"] == {"queries": 3, "candidates": 6, "kept": 6, "candidates_missing": 10}


def test_a_coreset_of_the_reranked_rows(retrieve: Any, allennlp: Any, tmp_path: Path) -> None:
    coreset = {"encoder": "tests_number", "size": 2}
    result = allennlp("retrieve", retrieve(reranker=NEARNESS, coreset=coreset), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert all("reranker_score" in row for row in _lines(tmp_path / "out" / "retrieved.jsonl"))


def test_only_queries_that_count_are_asked(retrieve: Any, write_jsonl: Any, allennlp: Any, tmp_path: Path) -> None:
    rows = [{"number": number, "label": label} for number, label in ((3, 0), (15, 1))]
    reader = {**READER, "options": ["Yes", "No"]}
    queries = {"path": write_jsonl("answers.jsonl", rows), "reader": reader, "positive": "Yes", "positive_only": True}
    result = allennlp("retrieve", retrieve(queries=queries, reranker=NEARNESS), "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert json.loads((tmp_path / "out" / "composition.json").read_text())["reranked"]["queries"] == 1


@pytest.mark.parametrize("missing", ["composition.npz", "search_log.jsonl", "composition.json", "retrieved.jsonl"])
def test_a_directory_that_is_no_retrieval(
    missing: str, retrieve: Any, rerank: Any, allennlp: Any, tmp_path: Path
) -> None:
    assert allennlp("retrieve", retrieve(), "-s", tmp_path / "retrieved").status == 0
    (tmp_path / "retrieved" / missing).unlink()
    result = allennlp("rerank", rerank(), "-s", tmp_path / "best")
    assert result.status == 1 and "Traceback" not in result.stderr
    assert f"retrieved/{missing}: is missing; make it again with: allennlp retrieve" in result.stderr
    assert not (tmp_path / "best").exists() and not list(tmp_path.glob(".best*"))


@pytest.mark.parametrize(
    "file, row, message",
    [
        ("retrieved.jsonl", {"input": "number 1", "target": "x"}, "retrieved.jsonl:7: is no row of a retrieval"),
        ("search_log.jsonl", {"input": 3}, "search_log.jsonl:4: no text under `input`"),
    ],
)
def test_bad_rows(file: str, row: Any, message: str, retrieve: Any, rerank: Any, allennlp: Any, tmp_path: Path) -> None:
    assert allennlp("retrieve", retrieve(), "-s", tmp_path / "retrieved").status == 0
    with (tmp_path / "retrieved" / file).open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    manifest = read_manifest(tmp_path / "retrieved")
    write_manifest(tmp_path / "retrieved", "retrieve", manifest["inputs"], {}, manifest["identity"])  # It is no damage.
    result = allennlp("rerank", rerank(), "-s", tmp_path / "best")
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr


def test_a_killed_run_ends_with_the_same_bytes(
    retrieve: Any,
    rerank: Any,
    tiny_classifier: Any,
    allennlp: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from attribution.rerankers import CrossEncoderReranker

    monkeypatch.setattr("attribution.rerankers.cross_encoder._WINDOW", 4)
    assert allennlp("retrieve", retrieve(), "-s", tmp_path / "retrieved").status == 0
    config = rerank(type="cross_encoder", model=tiny_classifier())
    assert allennlp("rerank", config, "-s", tmp_path / "whole").status == 0
    real, windows = CrossEncoderReranker.score_window, []

    def score_window(reranker: CrossEncoderReranker, pairs: Any) -> Any:
        windows.append(len(pairs))
        if len(windows) == 3:
            raise KeyboardInterrupt
        return real(reranker, pairs)

    monkeypatch.setattr(CrossEncoderReranker, "score_window", score_window)
    assert allennlp("rerank", config, "-s", tmp_path / "best").status != 0
    assert allennlp("rerank", config, "-s", tmp_path / "best").status == 0
    assert windows == [4, 4, 4, 4, 4, 2]  # The third, killed, is scored again; the first two are not.
    assert _products(tmp_path / "best") == _products(tmp_path / "whole")
    shutil.rmtree(tmp_path / "best")
