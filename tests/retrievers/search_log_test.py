"""A search read again gives what a search for fewer rows would."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import ExactRetriever, Pool, Retrieved, Retriever, SearchLogRetriever
from tests.retrievers.conftest import NumberEncoder
from tests.robustness.tiny_commands import NUMBERS, READER

QUERIES = [f"number {n}" for n in (3, 4, 5, 17)]


def _as_ours(found: Retrieved, path: Path) -> Path:
    lines = [
        {"input": query, "ids": ids.tolist(), "scores": scores.tolist()} for query, ids, scores in zip(QUERIES, *found)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    return path


def _as_deft_s(found: Retrieved, path: Path) -> Path:
    lines = [{"ids": ids.tolist(), "distances": (-scores).tolist()} for ids, scores in zip(*found)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _as_a_run(found: Retrieved, path: Path) -> Path:
    lines = [
        f"i{query} Q0 {row} {rank} {score!r} Anserini\n"
        for query, (ids, scores) in enumerate(zip(*found))
        for rank, (row, score) in enumerate(zip(ids.tolist(), scores.tolist()), 1)
    ]
    path = path.with_suffix(".trec")
    path.write_text("".join(lines))
    return path


@pytest.fixture
def nearness() -> Retriever:
    return ExactRetriever(NumberEncoder())


@pytest.mark.parametrize("write", [_as_ours, _as_deft_s, _as_a_run])
def test_each_form(
    write: Callable[[Retrieved, Path], Path], nearness: Retriever, pool_path: str, tmp_path: Path
) -> None:
    path = write(nearness.retrieve(Pool(pool_path), QUERIES, 20), tmp_path / "log.jsonl")
    for k in (1, 7, 20):
        again = SearchLogRetriever(str(path)).retrieve(Pool(pool_path), QUERIES, k)
        wanted = nearness.retrieve(Pool(pool_path), QUERIES, k)
        assert again.ids.tolist() == wanted.ids.tolist() and np.allclose(again.scores, wanted.scores)
    # The rows that may be retrieved, of those that were found.
    again = SearchLogRetriever(str(path)).retrieve(Pool(pool_path, exclude_tasks=["b"]), QUERIES, 20)
    wanted = nearness.retrieve(Pool(pool_path), QUERIES, 20)
    for ids, scores, found in zip(again.ids, again.scores, wanted.ids):
        kept = found[found < 30]
        assert ids[: len(kept)].tolist() == kept.tolist()
        assert (ids[len(kept) :] == -1).all() and np.isneginf(scores[len(kept) :]).all()


def test_the_command(allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    queries = {"path": write_jsonl("queries.jsonl", NUMBERS[3:6]), "reader": READER}
    pool = {"path": write_jsonl("pool.jsonl", NUMBERS)}

    def run(name: str, **changes: Any) -> str:
        settings: Dict[str, Any] = {"pool": pool, "targets": {"a": queries, "b": queries}, **changes}
        (tmp_path / f"{name}.json").write_text(json.dumps(settings))
        result = allennlp("retrieve", tmp_path / f"{name}.json", "-s", tmp_path / name)
        return result.stderr if result.status else ""

    exact = {"type": "exact", "encoder": "tests_number"}
    stored = {"type": "search_log", "path": str(tmp_path / "wide")}
    assert not run("wide", retriever=exact, neighbours=6)
    assert not run("narrow", retriever=exact, neighbours=2) and not run("again", retriever=stored, neighbours=2)
    for name in ("a", "b"):
        for file in ("search_log.jsonl", "retrieved.jsonl"):
            assert (tmp_path / "narrow" / name / file).read_bytes() == (tmp_path / "again" / name / file).read_bytes()
    assert "has 6 rows of each; neighbours is 7" in run("more", retriever=stored, neighbours=7)


@pytest.mark.parametrize(
    "name, lines, message",
    [
        (
            "log.jsonl",
            ['{"input": "q", "ids": [1]}'],
            "log.jsonl:1: no line of a search log, which has `ids` and",
        ),
        ("log.jsonl", ['{"input": "q", "ids": [1, 2], "scores": [1]}'], "log.jsonl:1: no line of a search log"),
        ("log.jsonl", ['{"input": "q", "ids": [true], "scores": [1]}'], "log.jsonl:1: no line of a search log"),
        (
            "log.jsonl",
            ['{"input": "q", "ids": [1, 2], "scores": [1, 2]}'],
            "its scores are not numbers, the best first",
        ),
        ("log.jsonl", ['{"input": "q", "ids": [40], "scores": [1]}'], "log.jsonl:1: row 40 is not in"),
        ("log.jsonl", ['{"input": "other", "ids": [1], "scores": [1]}'], "does not have the query 'q'"),
        ("log.jsonl", ['{"ids": [1], "distances": [1]}'] * 2, "has 2 queries; there are 1"),
        ("log.jsonl", ['{"input": "q", "ids": [4, 4], "scores": [2, 1]}'], "a row stands twice among those of a query"),
        ("log.jsonl", ['{"input": ["q"], "ids": [4], "scores": [2]}'], "whose `input` is a text"),
        ("log.jsonl", ['{"input": "q", "ids": [%s], "scores": [2]}' % ("9" * 25)], "is not in"),
        (
            "log.jsonl",
            ['{"input": "q", "ids": [4], "scores": [%s]}' % ("9" * 400)],
            "log (int too lar",
        ),
        ("run.txt", [f"i{'9' * 5000} Q0 {'9' * 25} 1 3.5 x"], "queries; there are 1"),
        ("run.txt", ["i0 Q0 %s 1 3.5 x" % ("9" * 25)], "is not in"),
        ("run.txt", ["\udcff"], "run.txt: not UTF-8 text"),
        ("run.txt", ["q1 Q0 7 1 3.5"], "run.txt:1: no line of a run, which is QUERY Q0 ROW RANK SCORE TAG"),
        ("run.txt", ["i0 Q0 seven 1 3.5 x"], "run.txt:1: no line of a run: invalid literal"),
        ("run.txt", ["i0 Q0 7 1 nan x"], "its scores are not numbers, the best first"),
    ],
)
def test_what_is_no_log(name: str, lines: List[str], message: str, pool_path: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError) as refused:
        SearchLogRetriever(str(tmp_path / name)).retrieve(Pool(pool_path), ["q"], 1)
    assert message in str(refused.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.jsonl", tmp_path):
        with pytest.raises(ConfigurationError, match="no such file, or no search_log.jsonl in it"):
            SearchLogRetriever(str(path))


def test_queries_that_found_fewer(pool_path: str, tmp_path: Path) -> None:
    """A run has no line of a query that found nothing; where queries found different numbers of rows that was all."""
    (tmp_path / "run.txt").write_text("q0 Q0 7 1 3.5 x\nq0 Q0 8 2 3 x\nq2 Q0 9 1 1.5 x\n")
    found = SearchLogRetriever(str(tmp_path / "run.txt")).retrieve(Pool(pool_path), ["a", "b", "c", "d"], 3)
    assert found.ids.tolist() == [[7, 8, -1], [-1, -1, -1], [9, -1, -1], [-1, -1, -1]]
    (tmp_path / "deft.jsonl").write_text(
        '{"ids": [7, 8, 5], "distances": [1, 2, 3]}\n{"ids": [9, -1, -1], "distances": [1, 3e38, 3e38]}\n'
    )
    found = SearchLogRetriever(str(tmp_path / "deft.jsonl")).retrieve(Pool(pool_path), ["a", "b"], 3)
    assert found.ids.tolist() == [[7, 8, 5], [9, -1, -1]]
