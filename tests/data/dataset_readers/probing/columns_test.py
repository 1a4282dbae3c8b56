"""Tasks in columns: what a file means, and what is wrong with it."""

from pathlib import Path
from typing import Any, List, Tuple

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from tests.data.dataset_readers.probing.conftest import PROBING


def _read(task: str, path: Path) -> List[Tuple[str, str]]:
    """Each sentence's words and labels, as texts."""
    reader: Any = DatasetReader.by_name(task)()
    return [(" ".join(sentence.words), " ".join(sentence.labels)) for sentence in reader.sentences(str(path))]


def test_conll2000_chunking() -> None:
    assert _read("conll2000_chunking", PROBING / "conll2000_chunking.txt") == [
        ("Rain has not stopped the early ferry .", "B-NP B-VP I-VP I-VP B-NP I-NP I-NP O"),
        ("Its captain paid # 200 for new ropes .", "B-NP I-NP B-VP B-NP I-NP B-PP B-NP I-NP O"),  # No comment.
        ("Please wait .", "B-INTJ B-VP O"),
        ("She thinks that tides turn slowly .", "B-NP B-VP B-SBAR B-NP B-VP B-ADVP O"),
        ("A . Boats", "B-LST I-LST B-NP"),
    ]


def test_conll2003_ner() -> None:
    assert _read("conll2003_ner", PROBING / "conll2003_ner.txt") == [
        ("Ferry leaves Cork for Swansea .", "O O I-LOC O I-LOC O"),
        ("Mary Byrne told Irish Ferries .", "I-PER I-PER O I-ORG I-ORG O"),
        ("Cork Bantry 1996-08-22", "I-LOC B-LOC O"),
        ("The Welsh won .", "O I-MISC O O"),
        ("SCORES", "O"),
    ]


def test_conllx_pos() -> None:
    assert _read("conllx_pos", PROBING / "conllx_pos.conllx") == [
        ("Boats rest .", "NNS VBP ."),
        ("# 3", "# CD"),
        ("She is n't .", "PRP VBZ RB ."),
        ("Row", "VB"),
        ("Slow tides", "JJ NNS"),
    ]


def test_five_columns_of_conllx_are_enough(tmp_path: Path) -> None:
    (tmp_path / "short.conllx").write_text("1\tRow\t_\tVERB\tVB\n")
    assert _read("conllx_pos", tmp_path / "short.conllx") == [("Row", "VB")]


def test_semantic_tagging_splits_words_in_one() -> None:
    assert _read("semantic_tagging", PROBING / "semantic_tagging.tsv") == [
        ("She sails to New Ross .", "PRO EPS REL GPE GPE NIL"),
        ("Two boats sank .", "QUC CON EPS NIL"),
        ("at least one ~", "DIS DIS QUC NIL"),
        ("No wind", "NOT CON"),
        ("Stop !", "EPS NIL"),
    ]


def test_token_error_detection() -> None:
    assert _read("token_error_detection", PROBING / "token_error_detection.tsv") == [
        ("I has a boat .", "c i c c c"),
        ("She sail on Mondays", "c i i c"),
        ("Thank you .", "c c c"),
        ("It were wet", "c i c"),
        ("Yours", "c"),
    ]


@pytest.mark.parametrize(
    "task, line, message",
    [
        ("conll2000_chunking", "Rain B-NP", "the wrong number of columns, 2 instead of 3: word, pos, label"),
        ("conll2000_chunking", "Rain NN B-NP I-LOC", "the wrong number of columns, 4 instead of 3"),
        ("conll2000_chunking", "Rain B-NP NN", "not a word and its label, but 'Rain' and 'NN'"),
        ("conll2003_ner", "Cork NNP I-LOC", "3 instead of 4: word, pos, chunk, label"),
        ("conllx_pos", "1 Row _ VERB VB", "1 instead of 5: id, word, lemma, coarse, label, ..."),
        ("conllx_pos", "1\tRow\t_\tVERB\t_", "not a word and its label, but 'Row' and '_'"),
        ("semantic_tagging", "She PRO", "1 instead of 2: word, label"),
        ("semantic_tagging", "\tPRO", "not a word and its label, but '' and 'PRO'"),
        ("token_error_detection", "boat\tx", "not a word and its label, but 'boat' and 'x'"),
    ],
)
def test_a_bad_line(task: str, line: str, message: str, tmp_path: Path) -> None:
    good = {"conll2000_chunking": "a b O", "conll2003_ner": "a b c O", "conllx_pos": "1\ta\tb\tc\td"}.get(task, "a\tc")
    (tmp_path / "bad.txt").write_text(f"{good}\n\n{good}\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"bad\.txt:4: ") as error:
        _read(task, tmp_path / "bad.txt")
    assert message in str(error.value)
