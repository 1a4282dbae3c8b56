from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.data.dataset_readers import TuplesReader


def test_a_whole_instance(write_jsonl: Callable[..., str]) -> None:
    row = {
        "query_examples": ["a film", ["this is a film", ["yes"], "imdb|train|one|#1"]],
        "positive_examples": [{"input": "that film", "target": "no", "task": "app_reviews"}],
        "negative_examples": ["a cat", "a dog"],
        "task": "imdb",
    }
    [instance] = DatasetReader.by_name("tuples")().read(write_jsonl("tuples.jsonl", [row]))
    assert {name: field.metadata for name, field in instance.fields.items()} == {
        "queries": ["a film", "this is a film"],
        "positives": ["that film"],
        "negatives": ["a cat", "a dog"],
    }


def test_workers_share_the_rows(write_jsonl: Callable[..., str]) -> None:
    rows = [
        {"query_examples": [str(number)], "positive_examples": ["a"], "negative_examples": ["b"]} for number in range(5)
    ]
    found = []
    for worker in range(2):
        reader = TuplesReader()
        reader._set_worker_info(WorkerInfo(2, worker))
        found.append([instance["queries"].metadata[0] for instance in reader.read(write_jsonl("tuples.jsonl", rows))])
    assert found == [["0", "2", "4"], ["1", "3"]]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"positive_examples": []}, "tuples.jsonl:1: `positive_examples` is not a list, or an empty one"),
        ({"query_examples": "a film"}, "tuples.jsonl:1: `query_examples` is not a list, or an empty one"),
        (
            {"negative_examples": ["a", 3]},
            "tuples.jsonl:1: `negative_examples` has something else than texts, rows and triples",
        ),
        ({"negative_examples": [{"text": "a"}]}, "tuples.jsonl:1: `negative_examples` has something else"),
    ],
)
def test_bad_rows(changes: Any, message: str, write_jsonl: Callable[..., str]) -> None:
    row = {"query_examples": ["a"], "positive_examples": ["b"], "negative_examples": ["c"], **changes}
    with pytest.raises(ConfigurationError, match=message):
        list(TuplesReader().read(write_jsonl("tuples.jsonl", [row])))


def test_no_rows(write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match="tuples.jsonl: the file is empty"):
        list(TuplesReader().read(write_jsonl("tuples.jsonl", [])))
