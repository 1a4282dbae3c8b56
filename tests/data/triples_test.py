"""ReCross's files, as rows."""

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError
from attribution.data.formats import json_rows, open_rows
from attribution.data.triples import QueryTriples, TripleLines, TripleList, open_triples, plain_input

FIXTURES = Path(__file__).parents[1] / "fixtures" / "recross_triples"


def _triple(number: int) -> List[Any]:
    return [f'a "quoted" [input], number {number} \\', [f"answer {number}"], f"task|train|wording|#{number}"]


def test_a_list() -> None:
    rows = open_triples(FIXTURES / "test-1000.json")
    assert isinstance(rows, TripleList) and len(rows) == 5
    third = list(rows)[2]
    assert (third.number, third.where) == (2, f"{FIXTURES / 'test-1000.json'}: row 3")
    assert third.content == {
        "input": 'The film was good.\nQuestion: does this imply that "the film was bad"?',
        "target": "No",
        "references": ["No", "no", "It does not"],
        "task": "super_glue-cb",
        "split": "validation",
        "template": "does this imply",
        "id": "super_glue-cb|validation|does this imply|#1",
    }
    assert [row.number for row in rows.shard(1, 2)] == [1, 3]
    assert [row.content["target"] for row in rows.take([0, 4])] == ["Neither", "bad"]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("characters", [1, 7, 100, 1 << 20])
def test_a_list_is_read_in_parts(indent: Any, characters: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(json_rows, "_CHARACTERS", characters)
    path = tmp_path / "many.json"
    path.write_text(json.dumps([_triple(number) for number in range(20)], indent=indent))
    rows = TripleList(path)
    assert [row.content["input"] for row in rows] == [_triple(number)[0] for number in range(20)]


def test_lines() -> None:
    rows = open_triples(FIXTURES / "imdb_upstream_train.json")
    assert isinstance(rows, TripleLines)
    first, empty, without_id = rows
    assert first.content == {
        "input": "Is the movie good or bad? the movie was good",
        "target": "good",
        "references": ["good"],
        "task": "imdb",
        "split": "train",
        "template": "good or bad",
        "id": "imdb|train|good or bad|#4",
    }
    assert empty.content["target"] == ""
    assert without_id.content == {"input": "one two three", "target": "four", "references": ["four"]}


def _inputs(**settings: Any) -> List[str]:
    return [row.content["input"] for row in open_triples(FIXTURES / "fewshot.json", **settings)]


def test_queries_of_a_round() -> None:
    assert _inputs(shots=4) == [f"This is query {number} ?" for number in range(4)]
    assert _inputs(shots=4, round=1) == [f"This is query {number} ?" for number in (5, 2, 7, 0)]
    rows = open_triples(FIXTURES / "fewshot.json", shots=4, round=1)
    assert isinstance(rows, QueryTriples)
    assert list(rows)[1].where == f"{FIXTURES / 'fewshot.json'}: 4 shots, round#1, row 2"


def test_fewer_queries_are_the_beginning_of_the_next_larger_list() -> None:
    assert _inputs(shots=3, round=1) == _inputs(shots=4, round=1)[:3]
    assert _inputs(shots=5) == _inputs(shots=6)[:5]


def test_inputs_are_compared_without_their_white_space() -> None:
    assert plain_input(Row(0, {"input": " a\n b  c"}, "here")) == "a b c"


GOOD = _triple(0)


@pytest.mark.parametrize(
    "bad, message",
    [
        (GOOD[:2], r"row 2: not a triple \[input, \[references\], id\], but \['a"),
        ("text", "row 2: not a triple"),
        ([3, *GOOD[1:]], "row 2: the input is not a text, but 3"),
        ([GOOD[0], "yes", GOOD[2]], "row 2: the references are not a list of texts, at least one, but 'yes'"),
        ([GOOD[0], [], GOOD[2]], "row 2: the references are not a list"),
        ([GOOD[0], [1], GOOD[2]], "row 2: the references are not a list"),
        # What the published conversion script writes.
        ([*GOOD[:2], "task|train|#1"], r"row 2: the id is not `dataset\|split\|template\|#number`, but 'task\|train"),
        ([*GOOD[:2], None], "row 2: the id is not"),
    ],
)
def test_a_bad_triple(bad: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([GOOD, bad, GOOD]))
    rows = open_triples(path)
    with pytest.raises(ConfigurationError, match=f"bad.json: {message}"):
        list(rows)
    first, error, third = rows.each()
    assert isinstance(error, RowError) and not isinstance(first, RowError) and not isinstance(third, RowError)


@pytest.mark.parametrize(
    "text, message, read",
    [
        (json.dumps([GOOD, GOOD])[:-20], "cut.json: row 2: not valid JSON", 1),
        (json.dumps([GOOD, GOOD])[:-1], "cut.json: row 3: not valid JSON", 2),
        ("[nonsense]", "cut.json: row 1: not valid JSON", 0),
        ('[["\udcff"]]', "cut.json: row 1: not UTF-8", 0),
    ],
)
def test_a_damaged_list(text: str, message: str, read: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=message):
        list(open_triples(path))
    *good, error = open_triples(path).each()
    assert len(good) == read and isinstance(error, RowError)


@pytest.mark.parametrize(
    "line, message",
    [
        ({"input_text": "a"}, r"lines.json:2: `output_text` is missing or not a text; the row has \['input_text'\]"),
        ({"input_text": 1, "output_text": "b"}, "lines.json:2: `input_text` is missing or not a text"),
        ({"input_text": "a", "output_text": "b", "example_id": "t|#0"}, "lines.json:2: the id is not"),
        ({"16": {}}, "a query file needs `shots` and `round`"),
    ],
)
def test_a_bad_line(line: Dict[str, Any], message: str, write_jsonl: Any) -> None:
    path = write_jsonl("lines.json", [{"input_text": "a", "output_text": "b"}, line])
    with pytest.raises(ConfigurationError, match=message):
        list(open_triples(path))


@pytest.mark.parametrize(
    "name, settings, message",
    [
        ("lfs_pointer.json", {}, r"lfs_pointer.json: a Git LFS pointer, not the data; fetch it with `git lfs install"),
        ("lfs_pointer.json", {"shots": 4}, "a Git LFS pointer"),
        ("nowhere.json", {}, "nowhere.json: no such file"),
        ("fewshot.json", {}, "if it is a query file, say `shots` and `round`"),
        ("fewshot.json", {"shots": 32}, "fewshot.json: `shots` is 32; there are 4, 6"),
        ("fewshot.json", {"shots": 4, "round": 20}, "4 shots have no list 'round#20'; there is {'round#0'"),
        ("test-1000.json", {"shots": 4}, "not a query file"),
        ("imdb_upstream_train.json", {"shots": 4}, "imdb_upstream_train.json: not valid JSON"),
    ],
)
def test_what_cannot_be_read(name: str, settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(open_triples(FIXTURES / name, **settings))


@pytest.mark.parametrize(
    "content, message",
    [
        ({"4": {"round#0": [GOOD]}}, "round#0 of 4 shots has 1 rows; lower `shots`"),
        ({"4": [GOOD]}, "4 shots have no list 'round#0'"),
        ({"4": {"round#0": [GOOD, [1]] * 2}}, "4 shots, round#0, row 2: not a triple"),
    ],
)
def test_a_damaged_query_file(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "fewshot.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=message):
        list(open_triples(path, shots=4))


def test_compressed_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="not a JSON file"):
        open_triples(tmp_path / "a.json.gz")


def test_real_rows(shared_data: Path, tmp_path: Path) -> None:
    published = list(open_rows(shared_data / "p3" / "super_glue-cb.test.jsonl.gz"))
    path = tmp_path / "test-1000.json"
    fields = ("input", "references", "id")
    path.write_text(json.dumps([[row.content[field] for field in fields] for row in published], indent=4))
    rows = list(open_triples(path))
    assert len(rows) == len(published) > 200
    for row, other in zip(rows, published):
        assert {**other.content, "split": "validation"} == row.content
