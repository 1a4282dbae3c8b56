"""Rows as people publish them, as a pool, as queries and as training rows alike."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.dataset_readers import P3JsonlReader
from attribution.data.formats import open_rows
from attribution.data.layouts import LAYOUTS, PromptedRows, open_prompted_rows
from attribution.data.pool_sources import DatasetsSource, PoolRow, RowsSource
from attribution.retrievers.pool import Pool
from tests.data.formats.documents_test import SQUAD, TASK
from tests.data.formats.row_files_test import write

QUESTION, ANSWER = "Which is warm?", "The sun."


def _chat(*turns: str, keys: Any = ("role", "content"), names: Any = ("user", "assistant")) -> List[Dict[str, str]]:
    return [{keys[0]: names[number % 2], keys[1]: turn} for number, turn in enumerate(turns)]


SHAREGPT = {"keys": ("from", "value"), "names": ("human", "gpt")}
SYSTEM = {"role": "system", "content": "Be brief."}
PARTS = [
    {"role": role, "content": [{"type": "text", "text": text}]}
    for role, text in (("user", QUESTION), ("assistant", ANSWER))
]


ROWS: Dict[str, Any] = {
    "prompted": ({"input": QUESTION, "target": ANSWER, "note": "Not looked at."}, QUESTION, ANSWER),
    "p3": (
        {"inputs": [1, 2], "targets": [3], "inputs_pretokenized": QUESTION, "targets_pretokenized": ANSWER},
        QUESTION,
        ANSWER,
    ),
    "alpaca": ({"instruction": "Choose.", "input": QUESTION, "output": ANSWER}, f"Choose.\n\n{QUESTION}", ANSWER),
    "alpaca without an input": ({"instruction": QUESTION, "input": "", "output": ANSWER}, QUESTION, ANSWER),
    "dolly": ({"instruction": "Choose.", "context": QUESTION, "response": ANSWER}, f"Choose.\n\n{QUESTION}", ANSWER),
    "messages": ({"messages": _chat(QUESTION, ANSWER)}, QUESTION, ANSWER),
    "messages with a system's": (
        {"messages": [SYSTEM, *_chat(QUESTION, ANSWER)]},
        f"Be brief.\n\n{QUESTION}",
        ANSWER,
    ),
    "messages in parts": ({"messages": PARTS}, QUESTION, ANSWER),
    "several messages": (
        {"messages": _chat("Hello.", "Hi.", QUESTION, ANSWER)},
        f"User: Hello.\n\nAssistant: Hi.\n\nUser: {QUESTION}",
        ANSWER,
    ),
    "conversations": ({"conversations": _chat(QUESTION, ANSWER, **SHAREGPT)}, QUESTION, ANSWER),
    "flan": ({"inputs": QUESTION, "targets": ANSWER, "task": "t"}, QUESTION, ANSWER),
    "flan with a definition": (
        {"definition": "Choose.", "inputs": QUESTION, "targets": ANSWER},
        f"Choose.\n\n{QUESTION}",
        ANSWER,
    ),
    "natural_instructions": (
        {"definition": "Choose.", "input": QUESTION, "output": [ANSWER, "Sun."]},
        f"Choose.\n\n{QUESTION}",
        ANSWER,
    ),
    "squad": (
        {"context": "It is hot.", "question": QUESTION, "answers": {"text": [ANSWER], "answer_start": [0]}},
        f"It is hot.\n\n{QUESTION}",
        ANSWER,
    ),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("ending", ["jsonl", "parquet", "json.gz"])
def test_every_layout(name: str, ending: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    row, text, target = ROWS[name]
    path = str(write(tmp_path / f"rows.{ending}", [row]))
    for source in (RowsSource(path), DatasetsSource(path)):
        [item] = source.rows()
        assert isinstance(item, PoolRow), item
        assert (item.content["input"], item.content["target"]) == (text, target)
    [example] = P3JsonlReader("unused").examples(path)
    assert (example.input, example.options, example.answer) == (text, [target], 0)
    [query] = P3JsonlReader("unused").examples(path, labelled=False)
    assert query.input == text
    [found] = Pool(path).texts("reading")
    assert found.text == text
    assert ("of the layout" in caplog.text) == (name != "prompted")


@pytest.mark.parametrize("name", ["instruction", "definition"])
def test_an_instruction_beside_a_prompt_is_read(name: str, write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{name: "Say it in French.", "input": "dog", "target": "chien"}])
    [row] = open_prompted_rows(path)
    assert (row.content["input"], row.content["target"]) == ("Say it in French.\n\ndog", "chien")


def test_references_of_a_row(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [ROWS["natural_instructions"][0]])
    [example] = P3JsonlReader("unused").examples(str(path))
    assert example.details == {"references": [ANSWER, "Sun."]}


@pytest.mark.parametrize(
    "document, text, target",
    [(SQUAD, "In France.\n\nWhere?", "France"), (TASK, "Say which. Be brief.\n\na or b", "b")],
)
def test_documents(document: Any, text: str, target: str, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(document))
    item = next(iter(RowsSource(str(tmp_path / "rows.json")).rows()))
    assert isinstance(item, PoolRow) and (item.content["input"], item.content["target"]) == (text, target)


def test_rows_without_an_answer(write_jsonl: Callable[..., str]) -> None:
    rows = [{"messages": _chat(QUESTION)}, {"messages": _chat(QUESTION, "Hm?", "Which?")}, {"messages": []}]
    path = write_jsonl("rows.jsonl", rows)
    found = [item.reason for item in RowsSource(path).rows()]  # type: ignore[union-attr]
    assert found == ["`target` is missing", "`target` is missing", "`input` is empty"]
    texts = [example.input for example in P3JsonlReader("unused").examples(path, labelled=False)]
    assert texts == [QUESTION, f"User: {QUESTION}\n\nAssistant: Hm?\n\nUser: Which?", ""]
    unanswerable = {"context": "c", "question": "q", "answers": {"text": [], "answer_start": []}}
    [error] = RowsSource(write_jsonl("squad.jsonl", [unanswerable])).rows()
    assert isinstance(error, RowError) and error.reason == "`target` is missing"


def test_what_it_is_said_to_be(write_jsonl: Callable[..., str]) -> None:
    row = {"instruction": "i", "input": "x", "output": "y", "inputs": "a", "targets": "b", "answer": "c"}
    path = write_jsonl("rows.jsonl", [row])
    for settings, text, target in (
        ({}, "i\n\nx", "y"),
        ({"layout": "flan"}, "a", "b"),
        ({"fields": {"inputs": "input", "answer": "target"}}, "a", "c"),
    ):
        [item] = RowsSource(path, **settings).rows()  # type: ignore[arg-type]
        [example] = P3JsonlReader("unused", **settings).examples(path)  # type: ignore[arg-type]
        assert item.content["input"] == example.input == text  # type: ignore[union-attr]
        assert [item.content["target"]] == example.options == [target]  # type: ignore[union-attr]


def test_a_row_of_another_layout_than_the_first(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [ROWS["alpaca"][0], ROWS["messages"][0], ROWS["alpaca"][0]])
    first, error, last = RowsSource(path).rows()
    assert isinstance(first, PoolRow) and isinstance(last, PoolRow)
    assert isinstance(error, RowError) and "rows.jsonl:2: not of the layout 'alpaca'" in str(error)
    with pytest.raises(ConfigurationError, match="rows.jsonl:2: not of the layout 'alpaca'"):
        list(P3JsonlReader("unused").examples(path))


def test_rows_of_another_layout_have_their_numbers(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"instruction": str(n), "output": "y"} for n in range(7)])
    rows = open_prompted_rows(path)
    assert isinstance(rows, PromptedRows) and len(rows) == 7 and rows.files() == [Path(path)]
    assert [(row.number, row.content["input"]) for row in rows.take([2, 5])] == [(2, "2"), (5, "5")]
    assert [row.number for row in rows.shard(1, 3)] == [1, 4]
    prompted = write_jsonl("prompted.jsonl", [{"input": "a", "target": "b"}])
    assert type(open_prompted_rows(prompted)) is type(open_rows(prompted))


def test_mistakes(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"question": "a", "answer": "b"}])
    [error] = RowsSource(path).rows()
    assert "`input` is missing; the row has ['answer', 'question']. `fields` says what a field stands for" in str(error)
    for make in (RowsSource, lambda path, layout: P3JsonlReader("unused", layout=layout).open(path)):
        with pytest.raises(ConfigurationError, match=r"layout is 'x'; there are alpaca .*prompted \(input, target\),"):
            make(path, layout="x")  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="layout and fields both say where a prompt is"):
        RowsSource(path, layout="flan", fields={"a": "input"})
    with pytest.raises(ConfigurationError, match="fields maps to 'question'; it maps the file's names"):
        P3JsonlReader("unused", fields={"input": "question"}).open(path)
    assert len(LAYOUTS) == 8
