"""Demonstrations before a task's prompts."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.common.rows import Row, Rows
from attribution.data.dataset_readers import InContextReader, PromptedExample, PromptedReader, TemplateReader
from attribution.data.formats import open_rows

FOLDER = Path(__file__).parents[2] / "fixtures" / "icl"
TRAIN, VALIDATION, RETRIEVED = (str(FOLDER / f"{name}.jsonl") for name in ("train", "validation", "retrieved"))
TASK: Dict[str, Any] = {"template": "{{text}} ?", "options": ["good", "bad"]}
LONG = "one two three four five six seven eight ?"


@DatasetReader.register("tests_films_reader")
class FilmsReader(PromptedReader):
    """A task reader with DEFT's constructor arguments, which finds its splits in the folder that it is given."""

    def __init__(self, model_name: str, split_name: str, use_val_split: bool, val_size: int, **kwargs: Any) -> None:
        super().__init__(model_name, **kwargs)
        self.split_name = split_name

    def open(self, file_path: str) -> Rows:
        return open_rows(f"{file_path}/{self.split_name}.jsonl")

    def row_to_example(self, row: Row, labelled: bool = True) -> Optional[PromptedExample]:
        return TemplateReader("unused", **TASK).row_to_example(row, labelled)


@pytest.fixture
def make(tiny_model: Callable[[str], str]) -> Callable[..., InContextReader]:
    def reader(**settings: Any) -> InContextReader:
        if "reader_class_name" not in settings:
            settings = {"reader": TemplateReader("unused", **TASK), "train_data_path": TRAIN, **settings}
        return InContextReader(model_name=tiny_model("t5"), **settings)

    return reader


def _inputs(reader: InContextReader, path: str = VALIDATION) -> List[str]:
    return [example.input for example in reader.examples(path)]


def test_a_whole_example(make: Callable[..., InContextReader]) -> None:
    # Tokens: the prompt 7, the first demonstration 6, the second 6, the third 7, the end of the sequence 1.
    example = next(make(max_query_length=7 + 6 + 6 + 7).examples(VALIDATION))
    assert example.input == (
        "blue dog ?\nAnswer: bad\nred cat ?\nAnswer: good\nthe film was good ?\nAnswer:"  # The latest first.
    )
    assert (example.options, example.answer, example.row) == (["good", "bad"], 0, 0)
    assert example.where == f"{VALIDATION}:1"


def test_as_many_as_there_is_room_for(make: Callable[..., InContextReader]) -> None:
    for length, count in ((7, 0), (8, 0), (13, 0), (14, 1), (19, 1), (20, 2), (26, 2), (27, 3), (38, 3), (39, 4)):
        assert _inputs(make(max_query_length=length))[0].count("\nAnswer: ") == count, length
    assert _inputs(make())[0].count("\nAnswer: ") == 5  # Each once, however much room there is.


def test_none_is_lost_that_did_not_fit_before(make: Callable[..., InContextReader]) -> None:
    # The fourth is too long for the third prompt; the fourth begins with it. As published, it was lost.
    inputs = _inputs(make(max_query_length=24))
    assert LONG not in inputs[2]
    assert f"{LONG}\nAnswer: bad" in inputs[3]
    shown = ["red cat ?", "blue dog ?", "a green mat ?", LONG, "four five ?"]
    assert all(any(f"{text}\nAnswer: " in prompt for prompt in inputs) for text in shown)


def test_a_row_is_no_demonstration_of_itself(make: Callable[..., InContextReader]) -> None:
    prompt = _inputs(make())[2]
    assert prompt.count("red cat ?") == 1 and prompt.endswith("red cat ?\nAnswer:")


@pytest.mark.parametrize("workers", [2, 3])
def test_who_reads_a_row_does_not_matter(workers: int, make: Callable[..., InContextReader]) -> None:
    shares: List[PromptedExample] = []
    for worker in range(workers):
        reader = make(max_query_length=30)
        reader._set_worker_info(WorkerInfo(workers, worker))
        shares += list(reader.examples(VALIDATION))
    assert sorted(shares, key=lambda example: example.row) == list(make(max_query_length=30).examples(VALIDATION))


def test_retrieved_rows(make: Callable[..., InContextReader]) -> None:
    reader = make(retrieve_file=RETRIEVED, train_data_path=None)
    assert _inputs(reader)[:2] == [
        "the cat ?\nAnswer: bad\na film ?\nAnswer: good\nthe film was good ?\nAnswer:",
        "a film ?\nAnswer: good\nthe cat ?\nAnswer: bad\nthe film was bad ?\nAnswer:",
    ]


@pytest.mark.parametrize("name", ["tests_films_reader", "tests_films"])
@pytest.mark.parametrize("settings", [{}, {"split_name": "validation", "use_val_split": False, "val_size": 1000}])
def test_a_task_by_name(name: str, settings: Any, make: Any, tiny_model: Callable[[str], str]) -> None:
    params = {"type": "icl_reader", "reader_class_name": name, "model_name": tiny_model("t5"), "retrieve_file": "dummy"}
    reader = DatasetReader.from_params(Params({**params, "max_query_length": 30, **settings}))
    assert _inputs(reader, str(FOLDER)) == _inputs(make(max_query_length=30))  # type: ignore[arg-type]


def test_a_shipped_task(tiny_model: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"premise": f"p{n}", "hypothesis": "h", "label": n % 2} for n in range(4)]
    for split in ("train", "validation"):
        lines = "".join(json.dumps(row) + "\n" for row in rows[:: 1 if split == "train" else 2])
        (tmp_path / f"{split}.jsonl").write_text(lines)
    reader = InContextReader("rte", tiny_model("t5"), max_query_length=60)
    texts = _inputs(reader, str(tmp_path))
    assert len(texts) == 2 and all(text.count("Answer:") > 1 and text.endswith("Answer:") for text in texts)


def test_a_file_is_no_source_of_its_own_demonstrations(tiny_model: Callable[[str], str]) -> None:
    reader = InContextReader("rte", tiny_model("t5"))
    with pytest.raises(ConfigurationError, match="its rows would be their own demonstrations"):
        _inputs(reader, VALIDATION)


def test_instances(make: Callable[..., InContextReader]) -> None:
    reader = make(max_query_length=26, return_original_input=True)
    instances = list(reader.read(VALIDATION))
    assert [len(instance["prompt_and_input"]) for instance in instances] == [20, 21, 25, 26, 25, 25]
    assert instances[0]["metadata"].metadata["input"].startswith("blue dog ?")
    assert [instance["correct_answer_index"].number for instance in instances] == [0, 1, 0, 0, 1, 0]
    assert reader.counts["demonstrations"] == 14


def test_a_prompt_that_is_too_long_alone_keeps_the_cue(make: Callable[..., InContextReader]) -> None:
    assert _inputs(make(max_query_length=6))[0] == "was good ?\nAnswer:"


def test_a_row_to_predict(make: Callable[..., InContextReader]) -> None:
    example = make(max_query_length=14).row_to_example(Row(0, {"text": "the film was bad"}, "here"), labelled=False)
    assert example is not None and example.answer is None
    assert example.input == "red cat ?\nAnswer: good\nthe film was bad ?\nAnswer:"


def test_skipped_rows_of_the_task_are_counted(
    make: Callable[..., InContextReader], write_jsonl: Callable[..., str]
) -> None:
    path = write_jsonl("rows.jsonl", [{"target": "yes"}, {"input": "a film", "target": "good"}])
    reader = make(reader=DatasetReader.from_params(Params({"type": "p3_jsonl"})), train_data_path=path)
    assert len(list(reader.read(path))) == 1
    assert reader.counts["rows skipped: no input, or not a string"] == 1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"reader_class_name": "films"}, "reader_class_name: 'films' is none of .*prompted_reader"),
        ({"reader": None}, "give reader_class_name or reader, one of them"),
        ({"reader_class_name": "tests_films", "reader": TemplateReader("unused", **TASK)}, "one of them"),
        ({"train_data_path": None}, "demonstrations need train_data_path or retrieve_file"),
        ({"train_data_path": "/nowhere.jsonl"}, "/nowhere.jsonl: no such file"),
        ({"retrieve_file": "/nowhere.jsonl"}, "/nowhere.jsonl: no such file"),
        ({"reader": DatasetReader.from_params(Params({"type": "babi"}))}, "a BabiReader does not make prompts"),
        ({"reader_class_name": "babi"}, "reader_class_name: babi is no reader of a task with splits .*split_name"),
    ],
)
def test_bad_settings(settings: Any, message: str, make: Callable[..., InContextReader]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        list(make(**settings).examples(VALIDATION))
