from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.data.dataset_readers import TuplesReader


def test_a_whole_instance(write_jsonl: Callable[..., str]) -> None:
    row = {
        "queries": ["a film", ["this is a film", ["yes"], "imdb|train|one|#1"]],
        "positives": [{"input": "that film", "target": "no", "task": "app_reviews"}],
        "negatives": ["a cat", "a dog"],
        "task": "imdb",
    }
    [instance] = DatasetReader.by_name("tuples")().read(write_jsonl("tuples.jsonl", [row]))
    assert {name: field.metadata for name, field in instance.fields.items()} == {
        "queries": ["a film", "this is a film"],
        "positives": ["that film"],
        "negatives": ["a cat", "a dog"],
    }


def test_workers_share_the_rows(write_jsonl: Callable[..., str]) -> None:
    rows = [{"queries": [str(number)], "positives": ["a"], "negatives": ["b"]} for number in range(5)]
    found = []
    for worker in range(2):
        reader = TuplesReader()
        reader._set_worker_info(WorkerInfo(2, worker))
        found.append([instance["queries"].metadata[0] for instance in reader.read(write_jsonl("tuples.jsonl", rows))])
    assert found == [["0", "2", "4"], ["1", "3"]]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"positives": []}, "tuples.jsonl:1: `positives` is not a list, or an empty one"),
        ({"queries": "a film"}, "tuples.jsonl:1: `queries` is not a list, or an empty one"),
        ({"negatives": ["a", 3]}, "tuples.jsonl:1: `negatives` has something else than texts, rows and triples"),
        ({"negatives": [{"text": "a"}]}, "tuples.jsonl:1: `negatives` has something else"),
    ],
)
def test_bad_rows(changes: Any, message: str, write_jsonl: Callable[..., str]) -> None:
    row = {"queries": ["a"], "positives": ["b"], "negatives": ["c"], **changes}
    with pytest.raises(ConfigurationError, match=message):
        list(TuplesReader().read(write_jsonl("tuples.jsonl", [row])))


def test_no_rows(write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match="tuples.jsonl: the file is empty"):
        list(TuplesReader().read(write_jsonl("tuples.jsonl", [])))
