"""What every reader of prompted rows does: tokenise in blocks, hold arrays, share rows over processes."""

import logging
from typing import Any, Callable, Dict, List, Optional

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers.dataset_reader import DistributedInfo, WorkerInfo
from allennlp.data.vocabulary import Vocabulary

from attribution.data.dataset_readers import P3JsonlReader
from tests.conftest import SPECIAL, WORDS

IDS = {token: number for number, token in enumerate(SPECIAL + WORDS)}


def test_instances_hold_ids_and_the_end_of_sequence_survives_the_cut(
    write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]
) -> None:
    reader = P3JsonlReader(tiny_model("t5"), max_query_length=4, max_answer_length=2, return_original_input=True)
    rows = [{"input": "the cat sat on the mat", "target": "good movie", "answer_choices": ["bad", "good movie"]}]
    [instance] = reader.read(write_jsonl("rows.jsonl", rows))
    assert instance["prompt_and_input"].human_readable_repr() == [IDS["the"], IDS["cat"], IDS["sat"], IDS["</s>"]]
    assert instance["answer_options"].human_readable_repr() == [[IDS["bad"], IDS["</s>"]], [IDS["good"], IDS["</s>"]]]
    assert instance["correct_answer_index"].number == 1
    assert instance["metadata"].metadata == {"input": rows[0]["input"], "options": ["bad", "good movie"]}
    assert reader.counts["prompts as long as max_query_length, cut if longer"] == 1


@pytest.mark.parametrize(
    "model, prefix, tokens",
    [
        ("t5_sentinel", "<extra_id_0>", ["<extra_id_0>"]),
        ("t5_sentinel", None, ["<extra_id_0>"]),
        ("t5_sentinel", "", []),
        ("t5_sentinel", "the ", ["the"]),
        # There is no such token: T5's would be an unknown one, or a row of pieces.
        ("bart", None, []),
        ("llama", None, []),
    ],
)
def test_what_answers_begin_with(
    model: str,
    prefix: Optional[str],
    tokens: List[str],
    write_jsonl: Callable[..., str],
    tiny_model: Callable[[str], str],
) -> None:
    reader = P3JsonlReader(tiny_model(model), answer_prefix=prefix, return_original_input=True)
    rows = [{"input": "the cat", "target": "good", "answer_choices": ["bad", "good movie", "good"]}]
    [instance] = reader.read(write_jsonl("rows.jsonl", rows))
    ids = {**IDS, "<extra_id_0>": len(IDS)}
    begin = [IDS["<s>"]] if model == "bart" else []
    options = [["bad"], ["good", "movie"], ["good"]]
    assert instance["answer_options"].human_readable_repr() == [
        begin + [ids[token] for token in [*tokens, *option, "</s>"]] for option in options
    ]
    assert instance["metadata"].metadata["options"] == ["bad", "good movie", "good"]
    if tokens == ["<extra_id_0>"]:  # What a model writes is read without it.
        assert reader.tokenizer.decode([ids[token] for token in ("<extra_id_0>", "good", "</s>")]) == "good"


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


TOLD_APART = {"input": "a film", "target": "yes", "answer_choices": ["yes", "no"]}


@pytest.mark.parametrize(
    "choices", [["{", "}"], ["正面", "负面"], ["yes", "yes"], ["good movie film", "good movie cat"]]
)
@pytest.mark.parametrize("model", ["t5", "gpt2"])
def test_options_that_the_tokenizer_does_not_tell_apart(
    choices: List[str], model: str, write_jsonl: Any, tiny_model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    alike = {**TOLD_APART, "target": choices[1], "answer_choices": ["no", *choices]}
    free = {"input": "a film", "target": "good"}
    reader = P3JsonlReader(tiny_model(model), max_answer_length=3)
    path = write_jsonl("some.jsonl", [free, alike, TOLD_APART, alike])
    with caplog.at_level(logging.WARNING):
        assert len(list(reader.read(path))) == 4
    first, count = [record.message for record in caplog.records if record.name.startswith("attribution")]
    assert first.startswith(
        f"{path}:2: the tokenizer of {tiny_model(model)} gives {choices[0]!r} and {choices[1]!r} the"
    )
    assert count == f"{path}: 2 rows with options that the tokenizer does not tell apart"
    with pytest.raises(
        ConfigurationError, match="all.jsonl: the tokenizer of .* in all rows, so nothing can be ranked"
    ):
        list(reader.read(write_jsonl("all.jsonl", [free, alike, alike])))


def test_skipped_rows_are_told_of(write_jsonl: Any, tiny_model: Any, caplog: pytest.LogCaptureFixture) -> None:
    path = write_jsonl("rows.jsonl", [TOLD_APART, {**TOLD_APART, "is_correct": False}])
    with caplog.at_level(logging.WARNING):
        assert len(list(P3JsonlReader(tiny_model("t5")).read(path))) == 1
    assert f"{path}: 1 rows skipped: not marked as correct" in caplog.messages
