import gzip
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.retrievers import Pool


def test_texts_are_the_inputs_with_their_row_numbers(pool_path: str) -> None:
    texts = [(row.id, row.text) for row in Pool(pool_path, ["a"]).texts("test")]
    assert texts == [(30 + number, f"number {number}") for number in range(10)]


def test_pool_errors(pool_path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"exclude_tasks names \['c'\]; the tasks there are \['a', 'b'\]"):
        list(Pool(pool_path, ["c"]).texts("test"))
    with pytest.raises(ConfigurationError, match="no row is left"):
        list(Pool(pool_path, ["a", "b"]).texts("test"))
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({"text": "x"}) + "\n")
    with pytest.raises(ConfigurationError, match=r"bad\.jsonl:1: a pool row needs texts under 'input' and 'target'"):
        list(Pool(str(bad)).texts("test"))


@pytest.mark.parametrize(
    "row",
    [
        {"input": "", "target": "x"},
        {"input": "  ", "target": "x"},
        {"input": [3], "target": "x"},
        {"target": "x"},
        {"input": "a"},
        {"input": "a", "target": [3]},
    ],
)
def test_a_row_without_a_text_is_named(row: Any, write_jsonl: Callable[..., str]) -> None:
    pool = Pool(write_jsonl("pool.jsonl", [{"input": "a", "target": "x"}, row]))
    with pytest.raises(ConfigurationError, match=r"pool.jsonl:2: a pool row needs texts .* build-pool can leave"):
        list(pool.texts("reading"))


@pytest.mark.parametrize("field", ["task", "template"])
def test_a_name_is_a_text(field: str, write_jsonl: Any) -> None:
    pool = Pool(write_jsonl("pool.jsonl", [{"input": "a", "target": "x"}, {"input": "a", "target": "x", field: [1]}]))
    with pytest.raises(ConfigurationError, match=f"pool.jsonl:2: `{field}` is not a text: .1."):
        list(pool.texts("reading"))


def test_an_empty_pool(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(ConfigurationError, match="empty.jsonl.gz: has no rows"):
        Pool(str(tmp_path / "empty.jsonl.gz"))


def test_parts_are_consecutive(pool_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attribution.retrievers.pool.ROWS_PER_PART", 7)
    for pool in (Pool(pool_path), Pool(pool_path, ["a"]), Pool(pool_path).among([3, 9, 31])):
        parts = list(pool.parts("reading"))
        assert all(len(part.ids) <= 7 for part in parts)
        assert [row.id for row in pool.texts("reading")] == [row for part in parts for row in part.ids]
        assert pool.ids("reading").tolist() == [row for part in parts for row in part.ids]
        assert len(list(pool.whole().texts("reading"))) == 40


def test_shards_are_what_they_say(write_jsonl: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    for number in range(3):
        write_jsonl(
            f"shards/part-{number}.jsonl", [{"input": f"{number}.{place}", "target": "x"} for place in range(2)]
        )
    pool = Pool(str(tmp_path / "shards"))
    assert [row.content["input"] for row in pool.rows.take([1, 2, 5])] == ["0.1", "1.0", "2.1"]
    assert [path.name for path in pool.files] == ["part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]
    before = pool.identity()
    assert before["bytes"] == sum(path.stat().st_size for path in pool.files)
    write_jsonl("shards/part-1.jsonl", [{"input": "1.0", "target": "y"}, {"input": "1.1", "target": "x"}])
    assert Pool(str(tmp_path / "shards")).identity() != before
    write_jsonl("shards/part-1.jsonl", [{"input": "1.0"}])
    with pytest.raises(ConfigurationError, match=r"shards/part-1.jsonl:1: a pool row needs texts"):
        list(Pool(str(tmp_path / "shards")).texts("reading"))


def test_wrong_answers_alone(write_jsonl: Callable[..., str]) -> None:
    pool = Pool(write_jsonl("pool.jsonl", [{"input": "a", "target": "x", "is_correct": 0}]))
    with pytest.raises(ConfigurationError, match="no row is left .* and 1 rows not marked as correct"):
        list(pool.texts("reading"))
    assert len(list(pool.whole().texts("reading"))) == 1
