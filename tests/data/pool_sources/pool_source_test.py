from pathlib import Path
from typing import Any, Dict, Iterator, List, Union

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError
from attribution.data.pool_sources import PoolRow, PoolSource, Skipped

GOOD: Dict[str, Any] = {"input": "a", "target": "b"}


class ListSource(PoolSource):
    def __init__(self, rows: List[Dict[str, Any]], **settings: Any) -> None:
        super().__init__("list", **settings)
        self._rows = rows

    def inputs(self) -> List[Path]:
        return []

    def read(self) -> Iterator[Union[Row, RowError]]:
        for number, content in enumerate(self._rows):
            yield Row(number, content, f"list:{number + 1}")


def _contents(source: PoolSource) -> List[Any]:
    return [row.content if isinstance(row, PoolRow) else str(row) for row in source.rows()]


def test_what_a_row_lacks_is_made_up() -> None:
    rows = [GOOD, {**GOOD, "task": "t", "template": "p"}, {**GOOD, "id": 7, "answer_choices": ["b", "c"], "extra": 1}]
    assert _contents(ListSource(rows, split="dev")) == [
        {**GOOD, "task": "list", "template": "", "id": "list|dev||#0"},
        {**GOOD, "task": "t", "template": "p", "id": "t|dev|p|#1"},
        {**GOOD, "answer_choices": ["b", "c"], "task": "list", "template": "", "id": "7"},
    ]


def test_constants_win_and_fields_are_renamed() -> None:
    row = {"inputs_pretokenized": "a", "targets_pretokenized": "b", "input": [1, 2], "family": "f", "kept": 3}
    fields = {"inputs_pretokenized": "input", "targets_pretokenized": "target", "family": "task"}
    [content] = _contents(ListSource([row], fields=fields, template="p", keep=["kept", "absent"]))
    assert content == {**GOOD, "task": "f", "template": "p", "id": "f|train|p|#0", "kept": 3}
    [content] = _contents(ListSource([row], fields=fields, task="constant"))
    assert content["task"] == "constant"


@pytest.mark.parametrize(
    "row, message",
    [
        ({"target": "b"}, "list:1: `input` is missing; the row has ['target']"),
        ({"input": [3], "target": "b"}, "list:1: `input` is not a text"),
        ({"input": " \n", "target": "b"}, "list:1: `input` is empty"),
        ({"input": "a", "target": None}, "list:1: `target` is missing"),
        ({"input": "a", "target": ""}, "list:1: `target` is empty"),
        ({"input": "a", "target": ["b"]}, "list:1: `target` is not a text"),
        *(
            ({"input": "a", "target": "b", field: {"of": 1}}, f"list:1: `{field}` is not a text")
            for field in ("id", "task", "template")
        ),
        (
            {**GOOD, "answer_choices": "b"},
            "list:1: `answer_choices` is not a list of texts, or one of them is empty: 'b'",
        ),
        ({**GOOD, "answer_choices": ["b", None]}, "list:1: `answer_choices` is not a list of texts"),
        ({**GOOD, "answer_choices": ["b", " "]}, "list:1: `answer_choices` is not a list of texts, or one"),
    ],
)
def test_a_bad_row_is_an_error_in_its_place(row: Any, message: str) -> None:
    first, second = _contents(ListSource([row, GOOD]))
    assert first.startswith(message)
    assert second["id"] == "list|train||#1"


@pytest.mark.parametrize("wrong", [False, 0, "False", "false"])
def test_wrong_answers_are_left_out_and_counted(wrong: Any) -> None:
    rows = [{**GOOD, "is_correct": wrong}, {**GOOD, "is_correct": True}, {**GOOD, "is_correct": None}, GOOD]
    first, *others = ListSource(rows).rows()
    assert first == Skipped("not marked as correct")
    assert [row.content["id"] for row in others if isinstance(row, PoolRow)] == [f"list|train||#{n}" for n in (1, 2, 3)]


def test_fields_the_wrong_way_round() -> None:
    with pytest.raises(ConfigurationError, match="fields maps to 'inputs_pretokenized'; it maps the source's names to"):
        ListSource([], fields={"input": "inputs_pretokenized"})
