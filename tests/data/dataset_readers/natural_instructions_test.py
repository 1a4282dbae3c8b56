"""Super-NaturalInstructions, in Tk-Instruct's encodings."""

import json
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.common.rows import Row
from attribution.data.dataset_readers import NaturalInstructionsReader, PromptedExample

FOLDER = Path(__file__).parents[2] / "fixtures" / "natural_instructions"
BIRDS = "Definition: Say which colour the bird has.\n\n"
POSITIVE = [
    " Positive Example 1 -\nInput: a red cat.\n Output: red.\n\n",
    " Positive Example 2 -\nInput: a blue dog.\n Output: blue.\n\n",
]
NEGATIVE = " Negative Example 1 -\nInput: a red film.\n Output: green.\n\n"
INPUT = "Now complete the following example -\nInput: a red film.\nOutput: "


@pytest.fixture
def read(tiny_model: Callable[[str], str]) -> Callable[..., List[PromptedExample]]:
    def examples(path: Any = FOLDER, labelled: bool = True, **settings: Any) -> List[PromptedExample]:
        return list(NaturalInstructionsReader(tiny_model("t5"), **settings).examples(str(path), labelled))

    return examples


def _ids(examples: List[PromptedExample]) -> List[str]:
    return [str((example.details or {})["id"]) for example in examples]


def test_a_whole_example(read: Any) -> None:
    example = read(max_num_instances_per_task=None)[0]
    assert example.input == BIRDS + INPUT
    assert (example.options, example.answer, example.row) == (["red"], 0, 0)
    assert example.details == {
        "id": "task901-0",
        "references": ["red"],
        "task": "task901_birds_colour_classification",
        "category": "Text Categorization",
        "track": "default",
    }
    assert example.where == f"{FOLDER}/tasks/task901_birds_colour_classification.json: instance task901-0"


@pytest.mark.parametrize(
    "settings, before",
    [
        ({"add_task_definition": False}, ""),
        ({"num_pos_examples": 2}, BIRDS + "".join(POSITIVE)),
        ({"num_pos_examples": 2, "num_neg_examples": 2}, BIRDS + "".join(POSITIVE) + NEGATIVE),
        (
            {"num_pos_examples": 1, "add_explanation": True, "add_task_definition": False},
            " Positive Example 1 -\nInput: a red cat.\n Output: red.\n Explanation: The cat is red.\n\n",
        ),
    ],
)
def test_encodings(settings: Dict[str, Any], before: str, read: Any) -> None:
    assert read(max_num_instances_per_task=None, **settings)[0].input == before + INPUT


def test_punctuation_is_not_doubled(read: Any) -> None:
    example = read(tasks=["task902"], num_pos_examples=1)[0]
    assert example.input == (
        "Definition: Ask a question about the text.\n\n Positive Example 1 -\nInput: the cat sat on the mat.\n Output: "
        "who sat?\n\nNow complete the following example -\nInput: the dog sat.\nOutput: "
    )
    assert example.details["references"] == ["who sat?", "what did the dog do?"]
    assert example.options[0] in example.details["references"]


def test_tk_instruct_draws_an_encoding_for_each_row(read: Any) -> None:
    drawn = [example.input for example in read(tk_instruct=True)]
    assert drawn == [example.input for example in read(tk_instruct=True)]
    texts = [example.input for seed in range(12) for example in read(tk_instruct=True, seed=seed, tasks=["task901"])]
    before = {text.split("Now complete")[0] for text in texts}
    explained = (
        " Positive Example 1 -\nInput: a red cat.\n Output: red.\n Explanation: The cat is red.\n\n"
        " Positive Example 2 -\nInput: a blue dog.\n Output: blue.\n Explanation: It is blue.\n\n"
    )
    both = "".join(POSITIVE)
    assert before == {BIRDS, both, BIRDS + both, BIRDS + both + NEGATIVE, BIRDS + explained}


def test_limits_and_shuffles(read: Any, tmp_path: Path) -> None:
    # Random(42) makes 3, 1, 2, 4, 0, 5 of six, and 1, 0 of two; task902-1 has no output.
    assert _ids(read()) == [f"task901-{number}" for number in (3, 1, 2, 4, 0, 5)] + ["task902-0"]
    assert _ids(read(max_num_instances_per_task=2)) == ["task901-3", "task901-1", "task902-0"]
    assert _ids(read(split_name="test")) == ["task903-1", "task903-0", "task903-2"]
    assert _ids(read(split_name="test", max_num_instances_per_eval_task=1)) == ["task903-1"]
    assert _ids(read(split_name="test", max_num_instances_per_task=1, tasks=["task903"])) == _ids(
        read(split_name="test")
    )


def test_a_test_task_has_a_hundred_instances(read: Any, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "ni")
    path = tmp_path / "ni" / "tasks" / "task903_lakes_textual_entailment.json"
    task = json.loads(path.read_text())
    task["Instances"] = [{"id": str(number), "input": "one", "output": ["yes"]} for number in range(120)]
    path.write_text(json.dumps(task))
    everything = read(tmp_path / "ni", split_name="test", max_num_instances_per_eval_task=None)
    assert _ids(everything) == [str(number) for number in range(100)]
    assert set(_ids(read(tmp_path / "ni", split_name="test", max_num_instances_per_eval_task=3))) < set(
        _ids(everything)
    )


def test_the_tracks(read: Any) -> None:
    [example, *_] = read(split_name="test", track="xlingual")
    assert (example.details["task"], example.details["track"]) == ("task901_birds_colour_classification", "xlingual")


def test_a_prompt_that_is_too_long_keeps_its_input_and_the_cue(read: Any) -> None:
    """As published, it was cut from the right: the question was lost."""

    def first(length: int, **settings: Any) -> str:
        [example, *_] = read(max_num_instances_per_task=None, max_query_length=length, **settings)
        return str(example.input)

    # Tokens: the definition 9, an example 14, the task's input 14 (10 of them around it), the end of the sequence 1.
    assert first(9 + 14 + 14 + 1, num_pos_examples=2) == BIRDS + POSITIVE[0] + INPUT
    assert first(9 + 14 + 14, num_pos_examples=2) == BIRDS + INPUT
    assert first(9 + 14, num_pos_examples=2) == "Definition: Say which colour the bird has\n\n" + INPUT
    assert first(6 + 14, num_pos_examples=2) == "Definition: Say which colour\n\n" + INPUT
    assert first(14 + 1, num_pos_examples=2) == INPUT
    assert first(14) == "Now complete the following example -\nInput: red film.\nOutput: "
    assert first(12) == "Now complete the following example -\nInput: .\nOutput: "


def test_instances_are_within_the_budget(tiny_model: Callable[[str], str]) -> None:
    settings = {"model_name": tiny_model("t5"), "max_query_length": 30, "split_name": "test", "num_pos_examples": 2}
    reader = DatasetReader.from_params(
        Params(
            {"type": "ni_reader", **settings, "max_num_instances_per_eval_task": 100, "return_original_instance": True}
        )
    )
    instances = list(reader.read(str(FOLDER)))
    assert [len(instance["prompt_and_input"]) for instance in instances] == [25, 25, 25]
    assert all(instance["metadata"].metadata["input"].endswith("Output: ") for instance in instances)
    assert [instance["details"].metadata["references"] for instance in instances][0] == ["yes", "Yes"]


def test_the_same_rows_however_many_workers(read: Any, tiny_model: Callable[[str], str]) -> None:
    shares: List[PromptedExample] = []
    for worker in range(3):
        reader = NaturalInstructionsReader(tiny_model("t5"), tk_instruct=True)
        reader._set_worker_info(WorkerInfo(3, worker))
        shares += list(reader.examples(str(FOLDER)))
    assert sorted(shares, key=lambda example: example.row) == read(tk_instruct=True)


def test_an_instance_without_an_output_is_counted(tiny_model: Callable[[str], str]) -> None:
    reader = NaturalInstructionsReader(tiny_model("t5"), tasks=["task902_boats_question_generation"])
    assert len(list(reader.examples(str(FOLDER)))) == 1
    assert reader.counts == {"instances skipped: no output": 1}
    assert len(list(reader.examples(str(FOLDER), labelled=False))) == 2


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"split_name": "validation"}, r"splits/default/validation_tasks.txt: no such file.*allenai/natural-instruct"),
        ({"track": "other"}, "splits/other/train_tasks.txt: no such file"),
        ({"tasks": ["task903"]}, "tasks: 'task903' is none of the 2 in"),
        ({"max_num_instances_per_task": 0}, "max_num_instances_per_task, .*: 0 is less than 1"),
        ({"num_pos_examples": -1}, "num_pos_examples: -1 is less than 0"),
    ],
)
def test_bad_settings(settings: Any, message: str, read: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(**settings)


@pytest.mark.parametrize(
    "content, message",
    [
        ("{}", "task903_lakes_textual_entailment.json: no list of instances"),
        ('{"Instances": [{"id": "a"}]}', "instance a: no text under `input` of `Instance`"),
        ('{"Instances": [3]}', "instance 0: no text under `input` of `Instance`"),
        ('{"Instances": [{"id": "a", "input": "b", "output": ["c"]}]}', "instance a: a task that is not as Super-N"),
    ],
)
def test_bad_tasks(content: str, message: str, read: Any, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "ni")
    (tmp_path / "ni" / "tasks" / "task903_lakes_textual_entailment.json").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path / "ni", split_name="test")
    (tmp_path / "ni" / "tasks" / "task903_lakes_textual_entailment.json").unlink()
    with pytest.raises(ConfigurationError, match="task903_lakes_textual_entailment.json: no such file"):
        read(tmp_path / "ni", split_name="test")


def test_a_task_of_ones_own(tiny_model: Callable[[str], str]) -> None:
    row = Row(0, {"Definition": "Say yes", "Instance": {"input": "no"}}, "here")
    example = NaturalInstructionsReader(tiny_model("t5")).row_to_example(row, labelled=False)
    assert example is not None
    assert example.input.startswith("Definition: Say yes.\n\nNow complete") and example.options == []


def test_a_list_of_tasks_with_a_byte_order_mark_and_outputs_that_are_null(
    tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    shutil.copytree(FOLDER, tmp_path / "ni")
    listed = tmp_path / "ni" / "splits" / "default" / "train_tasks.txt"
    listed.write_bytes(b"\xef\xbb\xbftask902_boats_question_generation\r\n\r\n")
    path = tmp_path / "ni" / "tasks" / "task902_boats_question_generation.json"
    task = json.loads(path.read_text(encoding="utf-8"))
    task["Instances"] = [{"id": "a", "input": "x", "output": [None]}, {"id": "b", "input": "x", "output": [None, "y"]}]
    path.write_text(json.dumps(task), encoding="utf-8")
    reader = NaturalInstructionsReader(tiny_model("t5"))
    assert [example.options for example in reader.examples(str(tmp_path / "ni"))] == [["y"]]
    assert reader.counts == {"instances skipped: no output": 1}
