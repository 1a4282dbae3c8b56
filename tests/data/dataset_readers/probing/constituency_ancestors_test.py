from pathlib import Path
from typing import List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers.probing import ConstituencyAncestorsReader
from tests.data.dataset_readers.probing.conftest import PROBING

WORDS = ["The ferry waits for tides .", "She left ( early )", "Boats seem to rest .", "Yes", "Well", "rain and wind"]


@pytest.mark.parametrize(
    "ancestor, labels",
    [
        ("parent", ["NP NP VP PP NP S", "NP VP S ADVP S", "NP VP VP VP S", "FRAG", "None", "NP NP NP"]),
        ("grandparent", ["S S S VP PP None", "S S None S None", "S S S VP None", "None", "None", "NP None NP"]),
        (
            "great_grandparent",
            [
                "None None None S VP None",
                "None None None None None",
                "None None VP S None",
                "None",
                "None",
                "None None None",
            ],
        ),
    ],
)
def test_ancestors(ancestor: str, labels: List[str]) -> None:
    sentences = list(ConstituencyAncestorsReader(ancestor).sentences(str(PROBING / "constituency_ancestors.txt")))
    assert [" ".join(sentence.words) for sentence in sentences] == WORDS
    assert [" ".join(str(label) for label in sentence.labels or ()) for sentence in sentences] == labels
    assert sentences[3].where.endswith("constituency_ancestors.txt:13")


@pytest.mark.parametrize(
    "line, message",
    [
        ("(S (NN rain)\n(S (NN wind))", ":2: a tree whose brackets are not closed"),
        ("(S (NN rain)", ":2: a tree whose brackets are not closed"),
        ("(S (NN rain)))", ":2: a closing bracket without its opening one"),
        ("(S (NN rain))) (S", ":2: not one tree: its brackets are closed before ')'"),
        ("(S (NN rain)) (S (NN wind))", ":2: not one tree: its brackets are closed before '(S'"),
        ("(S rain (NN wind))", ":2: a word that is not in brackets with its part of speech: 'rain'"),
        ("rain", ":2: a word that is not in brackets"),
        ("(S (NP (-NONE- *)))", ":2: a tree without words"),
    ],
)
def test_a_bad_tree(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text(f"(S (NN rain))\n{line}\n")
    with pytest.raises(ConfigurationError) as error:
        list(ConstituencyAncestorsReader().sentences(str(tmp_path / "bad.txt")))
    assert f"bad.txt{message}" in str(error.value)


def test_an_unknown_ancestor() -> None:
    with pytest.raises(ConfigurationError, match="ancestor 'uncle' is none of parent, grandparent, great_grandparent"):
        ConstituencyAncestorsReader("uncle")
