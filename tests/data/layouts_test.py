"""Rows as people publish them, as a pool, as queries and as training rows alike."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pyarrow
import pyarrow.parquet
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import RowError
from attribution.data.dataset_readers import P3JsonlReader, TemplateReader
from attribution.data.layouts import LAYOUTS, open_prompted_rows
from attribution.data.pool_sources import DatasetsSource, PoolRow, RowsSource
from attribution.retrievers.pool import Pool
from tests.data.formats.documents_test import SQUAD, TASK
from tests.data.formats.row_files_test import write

QUESTION, ANSWER = "Which is warm?", "The sun."


def _chat(*turns: str, keys: Any = ("role", "content"), names: Any = ("user", "assistant")) -> List[Dict[str, str]]:
    return [{keys[0]: names[number % 2], keys[1]: turn} for number, turn in enumerate(turns)]


SHAREGPT = {"keys": ("from", "value"), "names": ("human", "gpt")}
SYSTEM = {"role": "system", "content": "Be brief."}
SHARED = {"conversations": _chat(QUESTION, ANSWER, **SHAREGPT)}
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
    "conversations with a system's": ({**SHARED, "system": "Be brief."}, f"Be brief.\n\n{QUESTION}", ANSWER),
    "messages with a system's twice": (
        {"messages": [SYSTEM, *_chat(QUESTION, ANSWER)], "system": "Be brief."},
        f"Be brief.\n\n{QUESTION}",
        ANSWER,
    ),
    "alpaca with a history": (
        {"instruction": QUESTION, "output": ANSWER, "system": "Be brief.", "history": [["Hello.", "Hi."]]},
        f"Be brief.\n\nUser: Hello.\n\nAssistant: Hi.\n\nUser: {QUESTION}",
        ANSWER,
    ),
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
    rows = [{"messages": _chat(QUESTION)}, {"messages": _chat(QUESTION, "Hm?", "Which?")}]
    path = write_jsonl("rows.jsonl", rows)
    found = [item.reason for item in RowsSource(path).rows()]  # type: ignore[union-attr]
    assert found == ["`target` is missing", "`target` is missing"]
    texts = [example.input for example in P3JsonlReader("unused").examples(path, labelled=False)]
    assert texts == [QUESTION, f"User: {QUESTION}\n\nAssistant: Hm?\n\nUser: Which?"]
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


def test_each_row_is_of_its_own_layout(write_jsonl: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    names = ["prompted", "alpaca", "messages", "alpaca", "flan"]
    path = write_jsonl("rows.jsonl", [ROWS[name][0] for name in names])
    expected = [ROWS[name][1:] for name in names]
    items = list(RowsSource(path).rows())
    assert [(item.content["input"], item.content["target"]) for item in items] == expected  # type: ignore[union-attr]
    assert [(one.input, one.options[0]) for one in P3JsonlReader("unused").examples(path)] == expected
    caplog.clear()
    assert [row.text for row in Pool(path).texts("reading")] == [text for text, _ in expected]
    assert [row.content["input"] for row in open_prompted_rows(path).take([1, 4])] == [expected[1][0], expected[4][0]]
    for line, name in ((2, "alpaca"), (3, "messages"), (5, "flan")):
        assert f"rows.jsonl:{line}: of the layout '{name}'" in caplog.text
    assert caplog.text.count("of the layout") == 3 + 2  # Once each: of the pool's, and of the two that were taken.


def test_shards_of_several_layouts(tmp_path: Path) -> None:
    for number, name in enumerate(["prompted", "conversations", "p3"]):
        write(tmp_path / f"part-{number}.{'parquet' if number == 1 else 'jsonl'}", [ROWS[name][0]] * 2)
    items = list(RowsSource(str(tmp_path)).rows())
    assert [item.content["input"] for item in items] == [QUESTION] * 6  # type: ignore[union-attr]
    assert [one.row for one in P3JsonlReader("unused").examples(str(tmp_path))] == [*range(6)]


def test_columns_of_two_layouts_in_one_table(tmp_path: Path) -> None:
    """A table has every column in every row, and null in those that a row does not have."""
    rows = [ROWS["alpaca"][0], ROWS["p3"][0], ROWS["prompted"][0]]
    columns = {name: None for row in rows for name in row}
    path = write(tmp_path / "rows.parquet", [{**columns, **row} for row in rows])
    items = list(RowsSource(str(path)).rows())
    assert [item.content["input"] for item in items] == [f"Choose.\n\n{QUESTION}", QUESTION, QUESTION]  # type: ignore[union-attr]
    path = write(tmp_path / "null.parquet", [{"instruction": None, "input": QUESTION, "output": ANSWER}])
    [item] = RowsSource(str(path)).rows()
    assert item.content["input"] == QUESTION  # type: ignore[union-attr]


def test_a_row_that_is_not_of_its_layout(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"messages": "Hello."}, {"instruction": "a", "history": [["b"]], "output": "c"}])
    first, second = RowsSource(path).rows()
    assert isinstance(first, RowError) and "rows.jsonl:1: not of the layout 'messages'" in str(first)
    assert isinstance(second, RowError) and "rows.jsonl:2: not of the layout 'alpaca'" in str(second)
    with pytest.raises(ConfigurationError, match="rows.jsonl:1: not of the layout 'messages'"):
        list(P3JsonlReader("unused").examples(path))
    assert all(isinstance(item, RowError) for item in open_prompted_rows(path, "flan").each())


def test_what_a_layout_does_not_read_is_named(
    write_jsonl: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**ROWS["conversations"][0], "tools": "t"}, ROWS["conversations"][0], {**SHARED, "more": 1, "less": None}]
    list(P3JsonlReader("unused").examples(write_jsonl("rows.jsonl", rows)))
    first, second = (record.message for record in caplog.records)
    assert "rows.jsonl:1: of the layout 'conversations', by its fields conversations; not read are tools;" in first
    assert "rows.jsonl:3: of the layout 'conversations', by its fields conversations; not read are more;" in second


def test_what_a_message_has_beside_its_text_is_named(
    write_jsonl: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "weather"}], "name": None}
    turns = [{"role": "user", "content": "a"}, call, {"role": "assistant", "content": "b", "weight": 0}]
    list(P3JsonlReader("unused").examples(write_jsonl("rows.jsonl", [{"messages": turns}])))
    assert "not read are messages.tool_calls, messages.weight;" in caplog.text


@pytest.mark.parametrize("kind", ["pool", "reader"])
def test_numbers_and_truths_are_texts_as_they_are_written(kind: str, tmp_path: Path) -> None:
    """But for a whole number where there are choices: it is the place of one."""
    cases = [
        ('"target": 3', "3"),
        ('"target": 1.0', "1.0"),
        ('"target": 1e5', "1e5"),
        ('"target": 12345678901234567890123', "12345678901234567890123"),
        ('"target": true', "true"),
        ('"target": 1, "answer_choices": ["no", "yes"]', "yes"),
        ('"target": 7, "answer_choices": [5, 7.0, 7]', "7"),
        ('"target": 7.0, "answer_choices": [5, 7.0, 7]', "7.0"),
        ('"target": false, "answer_choices": [false, true]', "false"),
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"input": 0.50, {case}}}\n' for case, _ in cases))
    found: List[Any] = []
    if kind == "pool":
        found = [(row.content["input"], row.content["target"]) for row in RowsSource(str(path)).rows()]  # type: ignore[union-attr]
        assert [row.text for row in Pool(str(path)).texts("reading")] == ["0.50"] * len(cases)
    else:
        examples = P3JsonlReader("unused").examples(str(path))
        found = [(example.input, example.options[example.answer or 0]) for example in examples]
    assert found == [("0.50", text) for _, text in cases]


@pytest.mark.parametrize("target", [-1, 2, 1.0, True])
def test_a_number_that_says_no_choice(target: Any, write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"input": "a", "target": target, "answer_choices": ["no", "yes"]}])
    [error] = RowsSource(path).rows()
    assert isinstance(error, RowError) and error.reason == "`target` is not a text"
    reader = P3JsonlReader("unused")
    assert not list(reader.examples(path)) and reader.counts["rows skipped: target is no choice"] == 1


def test_a_number_that_may_be_one_choice_or_another(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"input": "a", "target": 1, "answer_choices": ["1", "2"]}])
    [error] = RowsSource(path).rows()
    assert "`target` 1 is the place of one option, the text of another" in str(error)


def test_numbers_inside_a_layout(write_jsonl: Callable[..., str]) -> None:
    rows = [
        {"instruction": "Add.", "input": 0, "output": 1.5},
        {"messages": [{"role": "user", "content": 2}, {"role": "assistant", "content": True}]},
        {"definition": "Add.", "input": 7, "output": [0]},
    ]
    items = list(RowsSource(write_jsonl("rows.jsonl", rows)).rows())
    texts = [(item.content["input"], item.content["target"]) for item in items]  # type: ignore[union-attr]
    assert texts == [("Add.\n\n0", "1.5"), ("2", "true"), ("Add.\n\n7", "0")]


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_bytes_are_the_texts_that_they_are(ending: str, tmp_path: Path) -> None:
    image = {"bytes": [b"\x89PNG", b"\xff"], "path": ["a", None]}
    columns = {"input": ["käse".encode(), b"\xff"], "target": [b"x", b"y"], "parts": [[b"p"], [b"q"]], "image": []}
    columns["image"] = [{key: values[place] for key, values in image.items()} for place in (0, 1)]  # type: ignore[dict-item]
    table = pyarrow.table(columns)
    path = tmp_path / f"rows.{ending}"
    if ending == "parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    first, second = RowsSource(str(path)).rows()
    assert first.content["input"] == "käse" and first.content["target"] == "x"  # type: ignore[union-attr]
    assert isinstance(second, RowError) and second.reason == "`input` is not a text"
    [example] = P3JsonlReader("unused").examples(str(path))
    assert (example.input, example.options) == ("käse", ["x"])
    texts = {
        "{{target}} {{parts}} {{image.path}}": "x ['p'] a",
        "{{input}}": "käse",
        "{{image.bytes}}": None,
        "{{image.bytes ~ 'x'}}": None,
        "{{image.bytes | upper}}": None,
        "{{image}}": None,
        "{{[[image.bytes]]}}": None,
    }
    for template, text in texts.items():
        reader = TemplateReader("unused", template, ["{{target}}"], "target")
        found = [one.input for one in reader.examples(str(path), skip_bad_rows=True) if one.row == 0]
        assert found == ([] if text is None else [text]), template
        with pytest.raises(ConfigurationError, match="rows.(parquet|arrow):[12]: .*(bytes that are no UTF-8|no field)"):
            list(reader.examples(str(path)))


def test_rows_have_their_numbers(write_jsonl: Callable[..., str]) -> None:
    path = write_jsonl("rows.jsonl", [{"instruction": str(n), "output": "y"} for n in range(7)])
    rows = open_prompted_rows(path)
    assert len(rows) == 7 and rows.files() == [Path(path)]
    assert [(row.number, row.content["input"]) for row in rows.take([2, 5])] == [(2, "2"), (5, "5")]
    assert [row.number for row in rows.shard(1, 3)] == [1, 4]


GYM_NAME = "imdb_2024_01_train.tsv"


def test_a_name_as_the_gyms_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / GYM_NAME
    path.write_text("text\tlabel\nA film.\tgood\n")
    settings: Any
    for settings, texts in (
        ({}, ["text", "A film."]),
        ({"layout": "few_shot_gym"}, ["text", "A film."]),
        ({"fields": {"text": "input", "label": "target"}}, ["A film."]),
    ):
        for source in (RowsSource(str(path), **settings), DatasetsSource(str(path), **settings)):
            assert [item.content["input"] for item in source.rows()] == texts  # type: ignore[union-attr]
        assert [one.input for one in P3JsonlReader("unused", **settings).examples(str(path))] == texts
        assert caplog.text.count("by its name a file of the Few-shot Gym") == 1
    path.write_text("input\ttarget\nA film.\tgood\n")
    [example] = P3JsonlReader("unused", layout="prompted").examples(str(path))
    assert (example.input, example.options) == ("A film.", ["good"])


def test_a_gym_file_of_any_name(tmp_path: Path, write_jsonl: Callable[..., str]) -> None:
    (tmp_path / "mine.tsv").write_text("A film.\tgood\tgreat\n")
    [item] = RowsSource(str(tmp_path / "mine.tsv"), layout="few_shot_gym").rows()
    assert item.content == {  # type: ignore[union-attr]
        "input": "A film.", "target": "good", "task": "mine", "template": "", "id": "mine|train||#0"
    }  # fmt: skip
    with pytest.raises(ConfigurationError, match="rows.jsonl: the Few-shot Gym's files are .tsv"):
        RowsSource(write_jsonl("rows.jsonl", [{"input": "a", "target": "b"}]), layout="few_shot_gym")


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
    assert len(LAYOUTS) == 9
