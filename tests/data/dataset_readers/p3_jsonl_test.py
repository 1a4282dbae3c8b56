"""DEFT's rules, row by row."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch

from attribution.data.dataset_readers import P3JsonlReader
from tests.conftest import SPECIAL, WORDS

IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}


def _example(row: Dict[str, Any], write_jsonl: Callable[..., str]) -> Any:
    return list(P3JsonlReader("unused").examples(write_jsonl("rows.jsonl", [row])))


@pytest.mark.parametrize(
    "row, options, answer",
    [
        ({"target": " yes "}, ["yes"], 0),
        ({"target": "no", "answer_choices": ["yes", " no"]}, ["yes", "no"], 1),
        ({"target": "no", "options": ["yes", "no"]}, ["yes", "no"], 1),
        ({"target": "no", "answer_choices": []}, ["no"], 0),
        ({"target": "maybe", "answer_choices": ["yes", "no"]}, ["yes", "no", "maybe"], 2),
        # The place of a choice, where the reference reads no row.
        ({"target": 1, "answer_choices": ["yes", "no"]}, ["yes", "no"], 1),
        # Equality, where the reference takes the first option that contains the target.
        ({"target": "entailed", "answer_choices": ["not entailed", "entailed"]}, ["not entailed", "entailed"], 1),
        ({"target": "1", "answer_choices": ["10", "1"], "index_id": 5, "attribution_frequency": 2}, ["10", "1"], 1),
    ],
)
def test_one_row(row: Dict[str, Any], options: List[str], answer: int, write_jsonl: Callable[..., str]) -> None:
    [example] = _example({"input": "question", **row}, write_jsonl)
    assert (example.input, example.options, example.answer, example.row) == ("question", options, answer, 0)


def test_inputs_begin_as_a_gyms_do(write_jsonl: Callable[..., str]) -> None:
    rows = [{"input": "a film", "target": "good", "task": "own"}, {"input": "a cat", "target": "bad"}]
    path = write_jsonl("rows.jsonl", rows)
    named = P3JsonlReader("unused", input_prefix="[{task}] ", task="films")
    assert [(example.input, example.details) for example in named.examples(path)] == [
        ("[films] a film", {"task": "films"}),
        ("[films] a cat", {"task": "films"}),
    ]
    assert [example.input for example in named.examples(path, labelled=False)] == ["[films] a film", "[films] a cat"]
    unnamed = P3JsonlReader("unused", input_prefix="[{task}] ").examples(path)
    assert next(unnamed).input == "[own] a film"
    with pytest.raises(
        ConfigurationError, match=r"rows.jsonl:2: no `task`, which `input_prefix` asks for: .*set `task`"
    ):
        next(unnamed)
    assert [example.input for example in P3JsonlReader("unused", input_prefix="> ").examples(path)][1] == "> a cat"


def test_unusable_rows_are_skipped_and_counted(
    write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]
) -> None:
    rows: List[Any] = [{"target": "yes"}, {"input": "a"}, {"input": "a", "target": [3]}]
    rows += [{"input": "a", "target": label, "answer_choices": ["b", "c"]} for label in (-1, 2, 1.5)]
    rows += [{"input": "a film", "target": "good"}, {"input": " \n", "target": "b"}, {"input": "a", "target": "  "}]
    reader = P3JsonlReader(tiny_model("t5"))
    [instance] = reader.read(write_jsonl("rows.jsonl", rows))
    assert instance["row"].metadata == 6
    assert reader.counts["rows skipped: target is no choice"] == 3
    assert reader.counts["rows skipped: no input, or not a string"] == 1
    assert reader.counts["rows skipped: no target, or not a string"] == 2
    assert reader.counts["rows skipped: empty input"] == reader.counts["rows skipped: empty target"] == 1
    with pytest.raises(ConfigurationError, match="no usable row"):
        list(reader.read(write_jsonl("bad.jsonl", rows[:2])))
    with pytest.raises(ConfigurationError, match="rows.jsonl:1: empty input: nothing under `input`"):
        list(reader.examples(write_jsonl("rows.jsonl", [{"input": " "}]), labelled=False))


def test_reads_the_published_few_shot_files(tiny_model: Callable[[str], str], shared_data: Path) -> None:
    path = shared_data / "few_shot" / "rte" / "32_shot" / "42_seed.jsonl"
    rows = [json.loads(line) for line in path.open()]
    instances = list(P3JsonlReader(tiny_model("t5")).read(str(path)))
    assert len(instances) == 32
    assert [row["answer_choices"].index(row["target"]) for row in rows] == [
        instance["correct_answer_index"].number for instance in instances
    ]


def test_choices_that_are_no_list(write_jsonl: Any) -> None:
    for choices in ("yes|||no", 3, ["yes", None], ["yes", float("nan")], ["yes", " "]):
        path = write_jsonl("choices.jsonl", [{"input": "a", "target": "yes", "answer_choices": choices}])
        with pytest.raises(ConfigurationError, match=r"choices.jsonl:1: `answer_choices` is not a list"):
            list(P3JsonlReader("unused").examples(path))


@pytest.mark.parametrize(
    "row, details",
    [
        ({}, {}),
        ({"references": ["yes"]}, {}),
        ({"references": []}, {}),
        ({"references": None}, {}),
        ({"references": ["yes", "true"]}, {"references": ["yes", "true"]}),
        ({"references": ["no"]}, {"references": ["no"]}),
        ({"references": [1, True]}, {"references": ["1", "true"]}),
    ],
)
def test_several_right_answers(row: Dict[str, Any], details: Any, write_jsonl: Callable[..., str]) -> None:
    [example] = _example({"input": "question", "target": "yes", **row}, write_jsonl)
    assert example.details == details


@pytest.mark.parametrize("references, empty", [([], 1), (["", " "], 1), ("", 1), (["", "true"], 0), (None, 0)])
def test_empty_references_are_counted(references: Any, empty: int, write_jsonl: Any) -> None:
    """The target stands for them: no answer could match nothing."""
    reader = P3JsonlReader("unused")
    path = write_jsonl("rows.jsonl", [{"input": "a", "target": "yes", "references": references}])
    [example] = reader.examples(path)
    assert example.details == ({} if empty or references is None else {"references": references})
    assert reader.counts["rows with empty references, for which their target stands"] == empty


def test_rows_with_several_right_answers_and_others_in_one_batch(tiny_model: Any, write_jsonl: Any) -> None:
    rows = [{"input": "a", "target": "yes"}, {"input": "a", "target": "yes", "references": ["yes", "true"]}]
    batch = Batch(P3JsonlReader(tiny_model("t5")).read(write_jsonl("rows.jsonl", rows)))
    assert batch.as_tensor_dict()["details"] == [{}, {"references": ["yes", "true"]}]


@pytest.mark.parametrize("references", ["yes", [[1]], {"text": "yes"}])
def test_references_that_are_no_texts(references: Any, write_jsonl: Any) -> None:
    with pytest.raises(ConfigurationError, match="rows.jsonl:1: `references` is not a list of texts"):
        _example({"input": "a", "target": "yes", "references": references}, write_jsonl)


def test_labels_are_not_looked_at_where_they_are_not_needed(write_jsonl: Any) -> None:
    path = write_jsonl("hidden.jsonl", [{"input": "a", "target": 1}, {"input": "b"}])
    assert [example.input for example in P3JsonlReader("unused").examples(path, labelled=False)] == ["a", "b"]


@pytest.mark.parametrize("wrong", [False, "False"])
def test_wrong_answers_are_no_targets(wrong: Any, write_jsonl: Any) -> None:
    row = {"input": "a", "answer_choices": ["yes", "no"]}
    rows = [{**row, "target": "yes", "is_correct": wrong}, {**row, "target": "no", "is_correct": True}]
    path, reader = write_jsonl("score_eval.jsonl", rows), P3JsonlReader("unused")
    assert [example.answer for example in reader.examples(path)] == [1]
    assert reader.counts == {"rows skipped: not marked as correct": 1}
    assert [example.row for example in reader.examples(path, labelled=False)] == [0, 1]


def test_fields_that_are_kept(tiny_model: Any, write_jsonl: Any, train_config: Any) -> None:
    kept = {"id": "cb|train|GPT-3 style|#4", "template": "GPT-3 style", "task": "cb"}
    row = {"input": "a film", "target": "yes", **kept, "index_id": 5}
    path = write_jsonl("kept.jsonl", [row, {"input": "a film", "target": "yes", "references": ["yes", "no"]}])
    reader = P3JsonlReader(tiny_model("t5"), keep=["id", "template", "task"])
    first, second = reader.read(path)
    assert first["details"].metadata == kept and second["details"].metadata == {"references": ["yes", "no"]}
    assert [example.details for example in reader.examples(path, labelled=False)] == [kept, None]


def test_scores_by_template_and_ids_of_predictions(
    train_config: Any, allennlp: Any, write_jsonl: Any, tmp_path: Path
) -> None:
    rows = [
        {
            "input": "a film",
            "target": "yes",
            "answer_choices": ["yes", "no"],
            "template": template,
            "id": f"#{template}",
        }
        for template in ("one", "two")
    ]
    changes = {
        "train_data_path": write_jsonl("train.jsonl", rows),
        "validation_data_path": str(tmp_path / "train.jsonl"),
        "dataset_reader.keep": ["id", "template"],
        "model.metrics": [{"type": "grouped", "metrics": ["text_accuracy"]}],
        "evaluation": {"batch_serializer": {"type": "rows"}},
        "trainer.num_epochs": 1,
    }
    assert allennlp("train", train_config(changes), "-s", tmp_path / "run").status == 0
    values = json.loads((tmp_path / "run" / "metrics.json").read_text())
    names = {"text_accuracy", "text_accuracy/one", "text_accuracy/two"}
    assert {f"validation_{name}" for name in names} <= set(values)
    predictions = tmp_path / "predictions.jsonl"
    result = allennlp(
        "evaluate",
        tmp_path / "run" / "model.tar.gz",
        tmp_path / "train.jsonl",
        "--predictions-output-file",
        predictions,
    )
    assert result.status == 0, result.stderr
    assert [json.loads(line)["id"] for line in predictions.read_text().splitlines()] == ["#one", "#two"]


def test_a_target_that_is_none_of_its_choices_is_told_of(
    tiny_model: Any, write_jsonl: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"input": "a", "target": "maybe", "answer_choices": ["yes", "no"]}, {"input": "a", "target": "yes"}]
    path = write_jsonl("rows.jsonl", rows)
    list(P3JsonlReader(tiny_model("t5")).read(path))
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"{path}: 1 targets added to their choices, which did not have them"]
