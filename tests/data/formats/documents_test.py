import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.formats import open_rows

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Normans",
            "paragraphs": [
                {
                    "context": "In France.",
                    "qas": [
                        {"id": "a", "question": "Where?", "answers": [{"text": "France", "answer_start": 3}]},
                        {"id": "b", "question": "When?", "answers": [], "is_impossible": True},
                    ],
                }
            ],
        }
    ],
}
TASK = {
    "Definition": ["Say which.", "Be brief."],
    "Positive Examples": [],
    "Instances": [{"id": "x-1", "input": "a or b", "output": ["b", "B"]}],
}


@pytest.mark.parametrize("indent", [None, 1])
def test_squad(indent: Any, tmp_path: Path) -> None:
    path = tmp_path / "dev-v2.0.json"
    path.write_text(json.dumps(SQUAD, indent=indent))
    first, second = open_rows(path)
    shared = {"title": "Normans", "context": "In France."}
    answers = {"text": ["France"], "answer_start": [3]}
    assert first.content == {"id": "a", "question": "Where?", "answers": answers, **shared}
    assert second.content["answers"] == {"text": [], "answer_start": []} and second.where == f"{path}: question b"


@pytest.mark.parametrize("indent", [None, 1])
def test_natural_instructions(indent: Any, tmp_path: Path) -> None:
    path = tmp_path / "task7_which.json"
    path.write_text(json.dumps(TASK, indent=indent))
    [row] = open_rows(path)
    assert row.content == {
        "task": "task7_which",
        "definition": "Say which. Be brief.",
        "id": "x-1",
        "input": "a or b",
        "output": ["b", "B"],
    }


def test_other_objects(tmp_path: Path) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": 1}]}))
    with pytest.raises(ConfigurationError, match=r"squad.json: article 1: not as SQuAD has it"):
        open_rows(path)
    path.write_text(json.dumps({"Instances": [1]}))
    with pytest.raises(ConfigurationError, match=r"squad.json: instance 1: not an object with an input and an output"):
        open_rows(path)
    path.write_text(json.dumps({"a": 1, "b": 2}, indent=1))
    with pytest.raises(ConfigurationError, match=r"an object without rows that are known, but with \['a', 'b'\]; what"):
        open_rows(path)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["data", "train", "test"])
def test_a_list_under_a_name(name: str, indent: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"version": 1, name: [{"a": 1}, {"a": 2}]}, indent=indent))
    rows = open_rows(path)
    assert [row.content for row in rows] == [{"a": 1}, {"a": 2}]
    assert [row.where for row in rows.take([1])] == [f"{path}: {name}, row 2"]
    path.write_text(json.dumps({name: [{"a": 1}, 7]}, indent=indent))
    with pytest.raises(ConfigurationError, match=f"rows.json: {name}, row 2: a row must be a JSON object, this is int"):
        open_rows(path)
    path.write_text(json.dumps({name: [{"a": 1}], "dev": [{"a": 2}]}, indent=indent))
    with pytest.raises(
        ConfigurationError, match=f"rows.json: has rows under {name} and dev|dev and {name}; write each"
    ):
        open_rows(path)


def test_one_object(tmp_path: Path) -> None:
    """On one line it is a row, as JSON lines may have one; on several it might be anything."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"messages": [{"role": "user"}]}))
    [row] = open_rows(path)
    assert row.content == {"messages": [{"role": "user"}]}
    path.write_text(json.dumps({"input": "a", "target": "b"}, indent=1))
    with pytest.raises(
        ConfigurationError, match=r"rows.json: an object without rows that are known, but with \['input'"
    ):
        open_rows(path)
