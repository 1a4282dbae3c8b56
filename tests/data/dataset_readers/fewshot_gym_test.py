import random
from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.data.dataset_readers import FewShotGymReader, PromptedExample
from tests.conftest import SPECIAL, WORDS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "fewshot_gym"
IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}


def _ids(text: str) -> List[int]:
    return [IDS.get(word, IDS["<unk>"]) for word in text.split()]


def _examples(folder: Path = FIXTURES, **settings: Any) -> List[PromptedExample]:
    return list(FewShotGymReader("unused", **settings).examples(str(folder)))


def test_a_whole_instance(tiny_model: Callable[[str], str]) -> None:
    settings = {"type": "fewshot_gym", "model_name": tiny_model("t5"), "task": "web_questions", "split": "test"}
    first, _ = DatasetReader.from_params(Params(settings)).read(str(FIXTURES))
    assert list(first.fields) == ["prompt_and_input", "answer_options", "row", "correct_answer_index", "details"]
    text = "[ web_questions ] which film is good </s>"
    assert first["prompt_and_input"].human_readable_repr() == _ids(text)
    assert first["answer_options"].human_readable_repr() == [_ids("the red film </s>")]
    assert first["row"].metadata == 0
    assert first["correct_answer_index"].number == 0
    assert first["details"].metadata == {
        "references": ["the red film", "red film"],
        "id": "web_questions_2_13_test#1",
        "task": "web_questions",
    }


def test_every_row_has_its_own_answers_after_one_with_several() -> None:
    # The published code of weight ensembling takes label i of the answers of all rows in one list: "mat" for the third.
    examples = _examples(task="web_questions", split="train")
    assert [(example.input, example.options[0]) for example in examples] == [
        ("[web_questions] who wrote the film", "the cat"),
        ("[web_questions] where was the dog", "on the mat"),
        ("[web_questions] what is two and three", "five"),
        ("[web_questions] how many cats sat", "one"),
    ]
    references = [example.details["references"] for example in examples if example.details]
    assert references == [["the cat", "a cat"], ["on the mat", "mat", "on a mat"], ["five"], ["one"]]


def test_the_options_of_a_task_are_the_answers_of_its_training_rows() -> None:
    examples = _examples(task="boolq", split="test", options="task")
    assert examples and all(example.options == ["no", "yes"] for example in examples)
    for example in examples:
        assert example.answer is not None and example.details is not None
        assert [example.options[example.answer]] == example.details["references"]
    [first, *_] = _examples(task="web_questions", split="test", options="task", seeds=[13])
    # An answer that no training row of this sample has.
    assert first.options == ["on the mat", "the cat", "the red film"] and first.answer == 2
    reader = FewShotGymReader("unused", task="boolq", split="dev", options="task", seeds=[13])
    names = [path.name for path in reader.open(str(FIXTURES)).files()]
    assert names == ["boolq_1_13_dev.tsv", "boolq_1_13_train.tsv"]


def _tasks(**settings: Any) -> List[str]:
    return [example.details["task"] for example in _examples(**settings) if example.details]


def test_several_tasks() -> None:
    assert _tasks() == ["boolq"] * 4 + ["web_questions"] * 4
    assert _tasks(task=["web_questions", "boolq"], seeds=[42]) == ["web_questions"] * 2 + ["boolq"] * 2
    assert _tasks(task_split=str(FIXTURES / "split.json")) == ["boolq"] * 4
    assert _tasks(task_split=str(FIXTURES / "split.json"), task_part="test") == ["web_questions"] * 4
    assert [example.row for example in _examples(split="dev")] == list(range(8))


def test_prefixes_as_published() -> None:
    settings = {"task": "boolq", "split": "dev", "seeds": [13]}
    bart = _examples(input_prefix=" [{task}] ", answer_prefix=" ", **settings)[0]
    assert bart.input == " [boolq] was it one film [SEP] It was two films." and bart.options == ["no"]
    t5 = _examples(input_prefix="", answer_prefix="<extra_id_0>", **settings)[0]
    assert t5.input == "was it one film [SEP] It was two films." and t5.options == ["no"]
    assert bart.details == t5.details == {"references": ["no"], "id": "boolq_1_13_dev#1", "task": "boolq"}


def test_random_answers_are_new_each_time_and_the_same_for_a_seed(tiny_model: Callable[[str], str]) -> None:
    reader = FewShotGymReader(tiny_model("t5"), task="web_questions", answer="random", return_original_input=True)

    def passes() -> List[Any]:
        random.seed(5)
        return [
            [instance["metadata"].metadata["options"][0] for instance in reader.read(str(FIXTURES))] for _ in range(20)
        ]

    found = passes()
    assert found == passes()
    # Each row among its own answers, and in the end all of them.
    answers = [{"the cat", "a cat"}, {"on the mat", "mat", "on a mat"}, {"five"}, {"one"}]
    assert [set(column) for column in zip(*found)] == answers


def test_workers_share_the_rows_and_agree_on_the_answers() -> None:
    settings = {"task": "web_questions", "answer": "random"}
    random.seed(5)
    whole = {example.row: example.options for example in _examples(**settings)}
    shares = {}
    for worker in range(2):
        random.seed(5)
        reader = FewShotGymReader("unused", **settings)
        reader._set_worker_info(WorkerInfo(2, worker))
        shares.update({example.row: example.options for example in reader.examples(str(FIXTURES))})
    assert shares == whole


def test_an_empty_answer_is_one(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "t_1_2_train.tsv").write_text("a\t\n")
    [example] = _examples(tmp_path)
    assert example.options == [""] and example.details and example.details["references"] == [""]


def test_unlabelled() -> None:
    reader = FewShotGymReader("unused", task="boolq")
    assert {example.answer for example in reader.examples(str(FIXTURES), labelled=False)} == {None}


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"split": "validation"}, "split is 'validation'; train, dev, test are possible"),
        ({"answer": "last"}, "answer is 'last'; first and random are possible"),
        ({"task": "boolq", "task_split": "a.json"}, "`task` and `task_split` both say"),
        ({"task": []}, "task is empty"),
        ({"seeds": []}, "seeds is empty"),
        ({"task": "glue-cola"}, "glue-cola: no such folder; .* has boolq, split.json, web_questions"),
        ({"task_split": "nowhere.json"}, "task_split: nowhere.json cannot be read as JSON"),
        ({"task_split": str(FIXTURES / "split.json"), "task_part": "dev"}, "split.json has no list of tasks 'dev'"),
    ],
)
def test_wrong_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _examples(**settings)


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere: no such folder; the folder of the tasks' folders"):
        _examples(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="has no folder of a task"):
        _examples(tmp_path)
    for name in (".t.part", "t"):
        (tmp_path / name).mkdir()
    (tmp_path / "t" / "t_1_2_train.tsv").write_text("a\tb\nc\n")
    with pytest.raises(ConfigurationError, match=r"t_1_2_train.tsv:2: no tab between an input and its answer: 'c'"):
        _examples(tmp_path)


def test_a_task_without_rows(tmp_path: Path) -> None:
    for task, text in (("one", "a\tb\n"), ("two", "")):
        (tmp_path / task).mkdir()
        (tmp_path / task / f"{task}_2_13_train.tsv").write_text(text)
    with pytest.raises(ConfigurationError, match="two_2_13_train.tsv: has no rows"):
        _examples(tmp_path, split="train")
