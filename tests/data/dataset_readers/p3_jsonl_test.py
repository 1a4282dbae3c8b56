"""DEFT's rules, row by row, and the sharding that every reader of prompted rows shares."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers.dataset_reader import DistributedInfo, WorkerInfo
from allennlp.data.vocabulary import Vocabulary

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
        # Equality, where the reference takes the first option that contains the target.
        ({"target": "entailed", "answer_choices": ["not entailed", "entailed"]}, ["not entailed", "entailed"], 1),
        ({"target": "1", "answer_choices": ["10", "1"], "index_id": 5, "attribution_frequency": 2}, ["10", "1"], 1),
    ],
)
def test_one_row(row: Dict[str, Any], options: List[str], answer: int, write_jsonl: Callable[..., str]) -> None:
    [example] = _example({"input": "question", **row}, write_jsonl)
    assert (example.input, example.options, example.answer, example.row) == ("question", options, answer, 0)


def test_unusable_rows_are_skipped_and_counted(
    write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]
) -> None:
    rows = [{"target": "yes"}, {"input": "a"}, {"input": "a", "target": 3}, {"input": "a film", "target": "good"}]
    reader = P3JsonlReader(tiny_model("t5"))
    [instance] = reader.read(write_jsonl("rows.jsonl", rows))
    assert instance["row"].metadata == 3
    assert reader.counts["rows skipped: no input, or not a string"] == 1
    assert reader.counts["rows skipped: no target, or not a string"] == 2
    with pytest.raises(ConfigurationError, match="no usable row"):
        list(reader.read(write_jsonl("bad.jsonl", rows[:2])))


def test_instances_hold_ids_and_the_end_of_sequence_survives_the_cut(
    write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]
) -> None:
    reader = P3JsonlReader(tiny_model("t5"), max_query_length=4, max_answer_length=2, return_original_input=True)
    rows = [{"input": "the cat sat on the mat", "target": "good movie", "answer_choices": ["bad", "good movie"]}]
    [instance] = reader.read(write_jsonl("rows.jsonl", rows))
    assert instance["prompt_and_input"].human_readable_repr() == [IDS["the"], IDS["cat"], IDS["sat"], IDS["</s>"]]
    assert instance["answer_options"].human_readable_repr() == [[IDS["bad"], IDS["</s>"]], [IDS["good"], IDS["</s>"]]]
    assert instance["correct_answer_index"].label == 1
    assert instance["metadata"].metadata == {"input": rows[0]["input"], "options": ["bad", "good movie"]}
    assert reader.counts["prompts as long as max_query_length, cut if longer"] == 1


def test_a_decoder_only_option_continues_the_prompt(tiny_model: Callable[[str], str]) -> None:
    instance = P3JsonlReader(tiny_model("llama"), max_query_length=3).text_to_instance("a good movie", ["yes", "no"])
    # The beginning is cut, its own special token kept; the option ends the sequence.
    assert instance["prompt_and_input"].human_readable_repr() == [IDS["<s>"], IDS["good"], IDS["movie"]]
    assert instance["answer_options"].human_readable_repr() == [[IDS["yes"], IDS["</s>"]], [IDS["no"], IDS["</s>"]]]
    assert "correct_answer_index" not in instance.fields
    bare = P3JsonlReader(tiny_model("llama"), end_of_sequence=False).text_to_instance("a", ["yes"])
    assert bare["answer_options"].human_readable_repr() == [[IDS["yes"]]]


@pytest.fixture
def forty(write_jsonl: Callable[..., str]) -> str:
    return write_jsonl("forty.jsonl", [{"input": "film " * (1 + n % 7), "target": "good"} for n in range(40)])


def _rows(reader: DatasetReader, path: str) -> List[int]:
    return [instance["row"].metadata for instance in reader.read(path)]


@pytest.mark.parametrize("ranks, workers", [(2, 1), (1, 3), (2, 2)])
def test_every_row_once_over_ranks_and_workers(
    forty: str, tiny_model: Callable[[str], str], ranks: int, workers: int
) -> None:
    shares = []
    for rank in range(ranks):
        for worker in range(workers):
            reader = P3JsonlReader(tiny_model("t5"))
            reader._set_distributed_info(DistributedInfo(ranks, rank))
            reader._set_worker_info(WorkerInfo(workers, worker) if workers > 1 else None)
            shares.append(_rows(reader, forty))
    assert sorted(row for share in shares for row in share) == list(range(40))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("settings", [{}, {"num_workers": 2}, {"num_workers": 2, "max_instances_in_memory": 8}])
def test_loader_workers_see_every_row_once(
    forty: str, tiny_model: Callable[[str], str], settings: Dict[str, Any]
) -> None:
    loader = MultiProcessDataLoader(P3JsonlReader(tiny_model("t5")), forty, batch_size=4, quiet=True, **settings)
    loader.index_with(Vocabulary.empty())
    for _epoch in range(2):
        assert sorted(row for batch in loader for row in batch["row"]) == list(range(40))


def test_max_instances(forty: str, tiny_model: Callable[[str], str]) -> None:
    assert _rows(P3JsonlReader(tiny_model("t5"), max_instances=5), forty) == [0, 1, 2, 3, 4]


def test_reads_the_published_few_shot_files(tiny_model: Callable[[str], str], shared_data: Path) -> None:
    path = shared_data / "few_shot" / "rte" / "32_shot" / "42_seed.jsonl"
    rows = [json.loads(line) for line in path.open()]
    instances = list(P3JsonlReader(tiny_model("t5")).read(str(path)))
    assert len(instances) == 32
    assert [row["answer_choices"].index(row["target"]) for row in rows] == [
        instance["correct_answer_index"].label for instance in instances
    ]
