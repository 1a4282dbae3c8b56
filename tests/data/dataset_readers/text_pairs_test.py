import json
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import WorkerInfo

from attribution.data.dataset_readers import TextPairReader

TUPLES = Path(__file__).parents[2] / "fixtures" / "text_pairs" / "tuples.json"


def _shown(reader: TextPairReader, path: Any) -> List[Dict[str, Any]]:
    return [{name: field.human_readable_repr() for name, field in one.fields.items()} for one in reader.read(str(path))]


def test_instances_of_pairs(tiny_classifier: Any, write_jsonl: Any) -> None:
    rows = [{"first": "Good", "second": "bad film", "label": 1}, {"first": "yes", "second": "no", "label": 0}]
    reader = TextPairReader(tiny_classifier(), lower_case=True)
    assert _shown(reader, write_jsonl("pairs.jsonl", rows)) == [
        {"pair": [1, 10, 2, 11, 15, 2], "row": 0, "segments": [0, 0, 0, 1, 1, 1], "label": 1},
        {"pair": [1, 4, 2, 5, 2], "row": 1, "segments": [0, 0, 0, 1, 1], "label": 0},
    ]
    unlabelled = reader.text_to_instance("Good", "bad film")
    assert "label" not in unlabelled.fields and unlabelled["pair"].ids.tolist() == [1, 10, 2, 11, 15, 2]  # type: ignore


def test_other_keys(tiny_classifier: Any, write_jsonl: Any) -> None:
    path = write_jsonl("mrpc.jsonl", [{"sentence1": "good", "sentence2": "bad", "label": True}])
    reader = TextPairReader(tiny_classifier(), first="sentence1", second="sentence2")
    assert [(pair.first, pair.second, pair.label) for pair in reader.pairs(path)] == [("good", "bad", 1)]


def test_labels_of_a_table_are_texts(tiny_classifier: Any, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text('first\tsecond\tlabel\n"good\tbad\t1\ngood\tfilm\t0\n')
    pairs = TextPairReader(tiny_classifier()).pairs(str(path))
    assert [(pair.first, pair.second, pair.label) for pair in pairs] == [('"good', "bad", 1), ("good", "film", 0)]


@pytest.mark.parametrize("as_lines", [False, True])
def test_each_query_with_each_example_of_a_tuple(
    as_lines: bool,
    tiny_classifier: Any,
    write_jsonl: Any,
) -> None:
    path = write_jsonl("tuples.jsonl", json.loads(TUPLES.read_text())) if as_lines else str(TUPLES)
    pairs = [(pair.first, pair.second, pair.label, pair.row) for pair in TextPairReader(tiny_classifier()).pairs(path)]
    assert pairs == [
        ("the cat sat", "this cat was good", 1, 0),
        ("the cat sat", "one two three", 0, 0),
        ("the cat sat", "red", 0, 0),
        ("a dog sat", "this cat was good", 1, 0),
        ("a dog sat", "one two three", 0, 0),
        ("a dog sat", "red", 0, 0),
        ("nine ten", "six seven", 1, 1),
        ("nine ten", "a bad film ?", 0, 1),
    ]


def test_workers_read_different_tuples(tiny_classifier: Any) -> None:
    found = []
    for worker in range(2):
        reader = TextPairReader(tiny_classifier())
        reader._set_worker_info(WorkerInfo(2, worker))
        found.append([instance["row"].metadata for instance in reader.read(str(TUPLES))])  # type: ignore
    assert found == [[0] * 6, [1, 1]]


@pytest.mark.parametrize(
    "row, message",
    [
        ({"first": "good", "label": 1}, "bad.jsonl:1: no text under `second`; there are"),
        ({"first": " ", "second": "bad", "label": 1}, "bad.jsonl:1: no text under `first`"),
        ({"first": "good", "second": "bad", "label": "yes"}, "bad.jsonl:1: `label` is not 0 or 1, but 'yes'"),
        ({"first": "good", "second": "bad"}, "`label` is not 0 or 1, but None"),
        ({"query_examples": []}, "bad.jsonl:1: `query_examples` is not a list of triples, at least one"),
        (
            {"query_examples": [["a", ["b"], "c"]], "positive_examples": [["a"]], "negative_examples": []},
            "`positive_examples` has no triple",
        ),
    ],
)
def test_bad_rows(row: Any, message: str, tiny_classifier: Any, write_jsonl: Any) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("[", r"\[")):
        list(TextPairReader(tiny_classifier()).read(write_jsonl("bad.jsonl", [row])))


@pytest.mark.parametrize(
    "content, message", [("[1, 2]", "a row must be a JSON object, this is int"), ("[{", "not valid JSON")]
)
def test_bad_lists(content: str, message: str, tiny_classifier: Any, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        list(TextPairReader(tiny_classifier()).read(str(tmp_path / "bad.json")))
