import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers.probing import ProbeTextReader
from tests.data.dataset_readers.probing.conftest import PROBING

PATH = str(PROBING / "probe_text.txt")


def test_lines_of_ten_words_and_more() -> None:
    sentences = list(ProbeTextReader().sentences(PATH))
    assert [(sentence.number, len(sentence.words), sentence.where.split(":")[1]) for sentence in sentences] == [
        (0, 14, "4"),
        (1, 17, "6"),
        (2, 10, "7"),
        (3, 14, "8"),
    ]
    assert sentences[2].words == ["One", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    assert sentences[2].labels is None


def test_any_line_with_a_word() -> None:
    assert [sentence.words[0] for sentence in ProbeTextReader(min_words=1).sentences(PATH)] == [
        "=",
        "The",
        "Nobody",
        "A",
        "One",
        "It",
    ]


def test_settings_that_leave_nothing() -> None:
    with pytest.raises(ConfigurationError, match="no line has 18 words; lower min_words"):
        list(ProbeTextReader(min_words=18).sentences(PATH))
    with pytest.raises(ConfigurationError, match="min_words is 0; at least one is needed"):
        ProbeTextReader(min_words=0)
