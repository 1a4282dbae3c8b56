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
