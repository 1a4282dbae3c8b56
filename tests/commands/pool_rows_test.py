import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.robustness.tiny_commands import NUMBERS, READER


def _ids(path: Path) -> List[int]:
    return [int(line) for line in path.read_text().splitlines()]


def test_there_and_back(allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    pool = write_jsonl("pool.jsonl", NUMBERS)
    (tmp_path / "ids.txt").write_text("\ufeff7\n3\n7\n19\n0\n\n")
    result = allennlp("pool-rows", "--pool", pool, "--ids", tmp_path / "ids.txt", "-s", tmp_path / "rows")
    assert result.status == 0 and "retrieved.jsonl, 4 rows of 20" in result.stdout, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows" / "retrieved.jsonl").read_text().splitlines()]
    assert rows == [{**NUMBERS[number], "index_id": number} for number in (0, 3, 7, 19)]
    result = allennlp("pool-rows", "--rows", tmp_path / "rows" / "retrieved.jsonl", "-s", tmp_path / "ids")
    assert result.status == 0 and _ids(tmp_path / "ids" / "ids.txt") == [0, 3, 7, 19], result.stderr


@pytest.mark.parametrize(
    "content, message",
    [
        ("3\nx\n", "ids.txt:2: 'x' is no number of a row, 0 to 19"),
        ("3\n20\n", "ids.txt:2: '20' is no number of a row, 0 to 19"),
        ("-1\n", "ids.txt:1: '-1' is no number of a row"),
        ("3\n" + "9" * 5000, "is no number of a row, 0 to 19"),
        ("3\n\udcff\n", "ids.txt: not UTF-8 text"),
        ("", "ids.txt: the file is empty"),
    ],
)
def test_what_is_no_list_of_numbers(
    content: str, message: str, allennlp: Any, write_jsonl: Any, tmp_path: Path
) -> None:
    (tmp_path / "ids.txt").write_bytes(content.encode(errors="surrogateescape"))
    files = ("--pool", write_jsonl("pool.jsonl", NUMBERS), "--ids", tmp_path / "ids.txt")
    result = allennlp("pool-rows", *files, "-s", tmp_path / "rows")
    assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
    assert not list(tmp_path.glob("*rows*"))


def test_what_is_asked_for(allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    pool = write_jsonl("pool.jsonl", NUMBERS)
    for flags in (["--pool", pool], ["--pool", pool, "--rows", pool], []):
        result = allennlp("pool-rows", *flags, "-s", tmp_path / "rows")
        assert result.status == 1 and "name --pool and --ids, or --rows alone" in result.stderr
    result = allennlp("pool-rows", "--rows", pool, "-s", tmp_path / "rows")
    assert result.status == 1 and "pool.jsonl:1: no row number under `index_id`" in result.stderr


def _as_anserini_reads(lines: List[str]) -> Dict[int, str]:
    """Field by field, each from a line that begins with its name, without what is before its first colon."""
    found, rest = {}, iter(lines)
    while any(line.startswith("<top") for line in rest):
        number, title = (next(line for line in rest if line.startswith(field)) for field in ("<num>", "<title>"))
        found[int(number.partition(":")[2])] = title.partition(":")[2].strip()
        for field in ("<desc>", "<narr>", "</top>"):
            assert any(line.startswith(field) for line in rest)
    return found


def test_queries_and_the_run_of_another_program(allennlp: Any, write_jsonl: Any, tmp_path: Path) -> None:
    texts = ["number\t3", "Question: {number}\n 4"]
    queries = {"path": write_jsonl("some.jsonl", [{"input": text} for text in texts]), "reader": READER}
    settings = {"pool": {"path": write_jsonl("pool.jsonl", NUMBERS)}, "queries": queries, "neighbours": 2}
    config = tmp_path / "retrieve.json"
    config.write_text(json.dumps({**settings, "retriever": {"type": "bm25"}}))
    result = allennlp("queries", config, "-s", tmp_path / "queries")
    assert result.status == 0 and "some.tsv, 2 queries" in result.stdout, result.stderr
    assert (tmp_path / "queries" / "some.tsv").read_text() == "0\tnumber 3\n1\tQuestion: {number} 4\n"
    topics = _as_anserini_reads((tmp_path / "queries" / "some.trec").read_text().splitlines())
    assert topics == {0: "number 3", 1: "Question: {number} 4"}
    run = tmp_path / "run.trec"
    run.write_text(
        "".join(f"{query} Q0 {row} {rank} {9 - rank} tag\n" for query in (0, 1) for rank, row in ((1, 5), (2, 8)))
    )
    config.write_text(json.dumps({**settings, "retriever": {"type": "search_log", "path": str(run)}}))
    result = allennlp("retrieve", config, "-s", tmp_path / "rows")
    assert result.status == 0, result.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows" / "retrieved.jsonl").read_text().splitlines()]
    assert [(row["index_id"], row["attribution_frequency"]) for row in rows] == [(5, 2), (8, 2)]
