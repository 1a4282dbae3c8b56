import json
from pathlib import Path
from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary

from attribution.data.dataset_readers.probing import EventFactualityReader, Sentence
from tests.data.dataset_readers.probing.conftest import PROBING


def test_numbers_for_some_words() -> None:
    path = str(PROBING / "event_factuality.json")
    assert list(EventFactualityReader().sentences(path)) == [
        Sentence(
            ["She", "left", "and", "may", "return", "."],
            [None, 2.75, None, None, 0.5, None],
            0,
            f"{path}: sentence 'train-1'",
        ),
        Sentence(["Nobody", "sailed", "."], [None, -3.0, None], 1, f"{path}: sentence 'train-3'"),
        Sentence(["Row", "."], [0.0, None], 2, f"{path}: sentence 'train-4'"),
        Sentence(["It", "rains", "."], [None, 3.0, None], 3, f"{path}: sentence 'train-5'"),
        Sentence(["They", "wanted", "to", "swim"], [None, 3.0, None, -1.25], 4, f"{path}: sentence 'train-6'"),
    ]


def test_a_batch_needs_no_vocabulary() -> None:
    batch = Batch(list(EventFactualityReader(max_instances=3).read(str(PROBING / "event_factuality.json"))))
    batch.index_instances(Vocabulary.empty())
    tensors: Any = batch.as_tensor_dict()["labels"]
    assert tensors["labels"].tolist() == [[0, 2.75, 0, 0, 0.5, 0], [0, -3, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
    assert tensors["mask"].nonzero().tolist() == [[0, 1], [0, 4], [1, 1], [2, 0]]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"labels": ["certain"]}, "a label that is not a number: 'certain'"),
        ({"labels": [True]}, "a label that is not a number: True"),
        ({"labels": [float("nan")]}, "a label that is not a number: nan"),
        ({"labels": [1, 2]}, "as many labels as predicates are needed: 2 for 1"),
        ({"labels": []}, "as many labels as predicates are needed: 0 for 1"),
        ({"labels": None}, "`labels` is not a list, but None"),
        ({"sentence": "It rains"}, "`sentence` is not a list, but 'It rains'"),
        ({"sentence": ["It", 2]}, "a word that is not a text"),
        ({"predicate_indices": [0]}, "a predicate that is none of its words: 0 of 2"),
        ({"predicate_indices": [3]}, "a predicate that is none of its words: 3 of 2"),
        ({"predicate_indices": ["2"]}, "a predicate that is none of its words: '2' of 2"),
        ({"predicate_indices": [2, 2], "labels": [1, 1]}, "a word with two labels: 2"),
    ],
)
def test_a_bad_sentence(changes: Any, message: str, tmp_path: Path) -> None:
    item = {"sentence": ["It", "rains"], "predicate_indices": [2], "labels": [1.5]}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"a": item, "b": {**item, **changes}}))
    with pytest.raises(ConfigurationError) as error:
        list(EventFactualityReader().sentences(str(path)))
    assert str(error.value).endswith(f"bad.json: sentence 'b': {message}")


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"a": 1,\n"b" 2}', "bad.json:2: not valid JSON"),
        ("[1]", "bad.json: not a JSON object of sentences by id, but list"),
        ('{"a": [1]}', "bad.json: sentence 'a': not a JSON object, but list"),
    ],
)
def test_a_bad_file(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        list(EventFactualityReader().sentences(str(tmp_path / "bad.json")))
