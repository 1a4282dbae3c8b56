"""DROP, in the official format and in the hub's."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pyarrow
import pyarrow.parquet
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.data.dataset_readers import DropReader, MultiTaskDropReader
from attribution.data.dataset_readers.drop import SPAN_SEPARATOR
from attribution.data.formats import open_rows
from tests.conftest import SPECIAL, WORDS

FOLDER = Path(__file__).parents[2] / "fixtures" / "drop"
OFFICIAL, HUB = str(FOLDER / "drop_dataset_dev.json"), str(FOLDER / "validation.jsonl")
IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}
NO_DATE = {"day": "", "month": "", "year": ""}


def _answer(number: str = "", spans: Any = (), **date: str) -> Dict[str, Any]:
    return {"number": number, "spans": list(spans), "date": {**NO_DATE, **date}}


def _by_id(path: str) -> Dict[str, Any]:
    return {example.details["id"]: example for example in DropReader("unused").examples(path)}  # type: ignore[index]


def test_a_whole_example() -> None:
    example = next(DropReader("unused").examples(OFFICIAL))
    assert example.input == (
        "Passage: The ferry crossed the lake four times on 9 March 1921. It carried Anna, Boris and a goat, and came "
        "home with 12 passengers.\nQuestion: How many times did the ferry cross the lake?\nAnswer:"
    )
    assert (example.options, example.answer, example.row) == (["4"], 0, 0)
    assert example.details == {"id": "q-number", "answers": [_answer("4"), _answer("4"), _answer(spans=["four"])]}
    assert example.where == f"{OFFICIAL}: passage history_1, question q-number"


@pytest.mark.parametrize(
    "question, target",
    [
        ("q-number", "4"),
        ("q-span", "Okafor"),
        ("q-spans", "Anna | Boris | a goat"),  # As published: Anna.
        ("q-date", "9 March 1921"),
        ("q-points", "6"),
    ],
)
def test_the_target_is_the_whole_first_answer(question: str, target: str) -> None:
    example = _by_id(OFFICIAL)[question]
    assert example.options == [target]
    [first, *_] = example.details["answers"]
    assert not first["spans"] or target.split(SPAN_SEPARATOR) == first["spans"]


@pytest.mark.parametrize("kind, in_order", [(DropReader, True), (MultiTaskDropReader, False)])
def test_splits(kind: Any, in_order: bool, tmp_path: Path) -> None:
    questions = [
        {"query_id": f"q{n}", "question": "How many?", "answer": {"number": str(n), "spans": [], "date": {}}}
        for n in range(9)
    ]
    for split, size in (("train", 9), ("validation", 6)):
        passage = {"p": {"passage": "A text.", "qa_pairs": questions[:size]}}
        (tmp_path / f"{split}.json").write_text(json.dumps(passage))
    drawn = {
        split: [example.row for example in kind("unused", split_name=split, val_size=4).examples(str(tmp_path))]
        for split in ("train", "validation", "test")
    }
    assert sorted(drawn["validation"] + drawn["test"]) == list(range(6)) and len(drawn["validation"]) == 4
    assert sorted(drawn["train"]) == list(range(9)) and (drawn["train"] == list(range(9))) is in_order


def test_every_annotators_answer() -> None:
    examples = _by_id(OFFICIAL)
    assert examples["q-spans"].details["answers"] == [
        _answer(spans=["Anna", "Boris", "a goat"]),
        _answer(spans=["Anna", "Boris"]),
    ]
    assert examples["q-date"].details["answers"] == [_answer(day="9", month="March", year="1921"), _answer(year="1921")]
    assert examples["q-points"].details["answers"] == [_answer("6")]


def test_a_question_without_an_answer_is_counted() -> None:
    reader = DropReader("unused")
    assert len(list(reader.examples(OFFICIAL))) == 5
    assert reader.counts == {"questions skipped: no answer": 1}
    assert len(list(DropReader("unused").examples(OFFICIAL, labelled=False))) == 6


@pytest.mark.parametrize(
    "question, answers",
    [
        ("h-number", [_answer("4"), _answer(spans=["four"])]),
        ("h-agreed", [_answer(spans=["Anna", "Boris"])] * 2),
        ("h-date", [_answer(spans=["9 March 1921"]), _answer(spans=["1921"])]),
        ("h-same", [_answer(spans=["Okafor"])] * 2),
        ("h-spans", [_answer(spans=["Ito", "Okafor"])]),
    ],
)
@pytest.mark.parametrize("parquet", [False, True])
def test_rows_of_the_hub(question: str, answers: List[Any], parquet: bool, tmp_path: Path) -> None:
    path = HUB
    if parquet:
        path = str(tmp_path / "validation.parquet")
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row.content for row in open_rows(HUB)]), path)
    assert _by_id(path)[question].details["answers"] == answers
    assert _by_id(path)["h-spans"].options == ["Ito | Okafor"]


def test_rows_with_the_annotators_as_columns(write_jsonl: Callable[..., str]) -> None:
    row = {
        "query_id": "q",
        "passage": "a",
        "question": "b",
        "answer": {**_answer("3"), "worker_id": "w"},
        "validated_answers": {"number": ["", "3"], "date": [NO_DATE] * 2, "spans": [["x"], []], "worker_id": ["w"] * 2},
    }
    [example] = DropReader("unused").examples(write_jsonl("rows.jsonl", [row]))
    assert example.details == {"id": "q", "answers": [_answer("3"), _answer(spans=["x"]), _answer("3")]}


def test_an_instance(tiny_model: Callable[[str], str]) -> None:
    reader = DropReader(tiny_model("t5"), max_query_length=6, return_original_instance=True)
    first, *rest = reader.read(OFFICIAL)
    assert len(rest) == 4
    unknown, colon, end = IDS["<unk>"], IDS[":"], IDS["</s>"]
    assert first["prompt_and_input"].human_readable_repr() == [unknown, colon, unknown, unknown, unknown, end]
    assert first["answer_options"].human_readable_repr() == [[unknown, end]]
    assert first["details"].metadata["id"] == "q-number"
    assert first["metadata"].metadata["options"] == ["4"]


@pytest.mark.parametrize("name, kind", [("drop_reader", DropReader), ("multi_task_drop_reader", MultiTaskDropReader)])
def test_published_settings(name: str, kind: type, tiny_model: Callable[[str], str]) -> None:
    settings = {"model_name": tiny_model("t5"), "split_name": "validation", "val_size": 2, "use_val_split": False}
    reader = DatasetReader.from_params(Params({"type": name, "max_query_length": 64, **settings}))
    assert type(reader) is kind
    assert [list(instance["answer_options"].lengths) for instance in reader.read(HUB)] == [[2], [4], [4], [2], [4]]


@pytest.mark.parametrize(
    "row, message",
    [
        ({"question": "b"}, r"rows.jsonl:1: no text under `passage`"),
        ({"passage": "a", "question": 3}, r"rows.jsonl:1: no text under `question`"),
        ({"passage": "a", "question": "b", "answer": "4"}, r"rows.jsonl:1: answers that are not as DROP has them"),
        ({"passage": "a", "question": "b", "answers_spans": {"spans": ["4"]}}, r"answers that are not.*'types'"),
    ],
)
def test_bad_rows(row: Any, message: str, write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(DropReader("unused").examples(write_jsonl("rows.jsonl", [row])))


@pytest.mark.parametrize("passage", ["text", {"passage": "a"}, {"passage": "a", "qa_pairs": ["why?"]}])
def test_a_bad_passage(passage: Any, tmp_path: Path) -> None:
    import json

    path = tmp_path / "drop.json"
    path.write_text(json.dumps({"p": passage}))
    with pytest.raises(ConfigurationError, match=r"drop.json: passage p: no list of questions under `qa_pairs`"):
        list(DropReader("unused").examples(str(path)))
