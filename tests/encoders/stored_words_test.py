import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.encoders import StoredWords
from tests.encoders.conftest import store_words

SENTENCES = [["a", "cat"], ["a", "dog", "sat"], ["a", "cat"], ["good"]]
VALUES = np.arange(16, dtype=np.float32).reshape(8, 2)


@pytest.fixture
def zoo(tmp_path: Path) -> str:
    for number, name in enumerate(("one", "two", "three")):
        store_words(tmp_path / name, SENTENCES, VALUES + 100 * number)
    return f"{tmp_path}/*"


def test_vectors_by_sentence_side_by_side(zoo: str) -> None:
    words = StoredWords(zoo, ["two", "one"])
    found = words.encode_words([["good"], [], ["a", "cat"], ["good"]])
    np.testing.assert_array_equal(found[:, :2], VALUES[[7, 0, 1, 7]] + 100)
    np.testing.assert_array_equal(found[:, 2:], VALUES[[7, 0, 1, 7]])
    assert found.dtype == np.float32 and words.encode_words([]).shape == (0, 4)


def test_all_by_default_and_the_selected(zoo: str, tmp_path: Path) -> None:
    assert StoredWords(zoo).names == ["one", "three", "two"]
    selected = tmp_path / "selected.json"
    selected.write_text(json.dumps({"names": ["three"], "indices": [1]}))
    assert StoredWords(f"{tmp_path}/[ot]*", str(selected)).names == ["three"]


@pytest.mark.parametrize(
    "names, message",
    [
        (["four"], "features.names: there is no 'four'; .* has one, three, two"),
        ([], "features.names: they are none; .* has one, three, two"),
        ("selected.json", "selected.json: has no list of `names`"),
        ("nowhere.json", "nowhere.json: no such file"),
    ],
)
def test_wrong_names(names: Any, message: str, zoo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("selected.json").write_text('{"names": 3}')
    with pytest.raises(ConfigurationError, match=message):
        StoredWords(zoo, names)


def test_what_is_not_there(zoo: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="one: has no sentence 'the cat'; embed the file that it is in"):
        StoredWords(zoo).encode_words([["the", "cat"]])
    with pytest.raises(ConfigurationError, match="features.folders: no folder matches"):
        StoredWords(f"{tmp_path}/none*")
    (tmp_path / "one" / "sentences.jsonl").unlink()
    with pytest.raises(ConfigurationError, match="one: has no words; `allennlp embed` needs the setting `words`"):
        StoredWords(zoo)
