import pickle
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from attribution.retrievers import words as module
from attribution.retrievers.words import Words

_TEXTS = st.text(st.sampled_from("abysS's9_.,:;-’ \nıé中カタ่ไ😀\u200d\u0301\"א★"), max_size=30)


def of(text: str, language: str = "english") -> List[str]:
    words, [row] = Words(language).of([text])
    return [words[place] for place in row]


# All are what Lucene's analyzer makes of them: lucene_test.py compares on real rows.
@pytest.mark.parametrize(
    "text, wanted",
    [
        ("The cats sat on the mat", ["cat", "sat", "mat"]),
        ("Anna's hat", ["anna", "hat"]),
        ("it's James’S", ["jame"]),
        ("us U.S. s is", ["us", "u.", "s"]),
        ("don't 3.14 1,000 a.b.c", ["don't", "3.14", "1,000", "a.b.c"]),
        ("foo_bar _x __ 1'000 1:2 a:b 3.a", ["foo_bar", "_x", "1'000", "1", "2", "a:b", "3"]),
        ("'quoted' end.Next", ["quot", "end.next"]),
        ("中文 カタカナ ひら 한국어 ภาษา हिन्दी", ["中", "文", "カタカナ", "ひ", "ら", "한국어", "ภาษา", "हिन्दी"]),
        ("ד\"ר ג' x² ½", ['ד"ר', "ג'", "x"]),
        ("★ 👍🏽 🇩🇪🇫🇷 ©", ["★", "👍🏽", "🇩🇪", "🇫🇷", "©"]),
        ("possibly usably nobly", ["possibl", "usabl", "nobli"]),
        ("psychology biology apologies", ["psycholog", "biologi", "apolog"]),
        ("trekking hopping falling", ["trek", "hop", "fall"]),
        ("İstanbul ΣΑΣ naïve", ["istanbul", "σασ", "naïv"]),
        ("", []),
    ],
)
def test_words(text: str, wanted: List[str]) -> None:
    assert of(text) == wanted


def test_words_are_shared_between_texts() -> None:
    words, rows = Words().of(["cats and dogs", "the", "a dog, cats"])
    assert words == ["cat", "dog"] and rows == [[0, 1], [], [1, 0]]


@given(_TEXTS)
def test_no_word_is_empty(text: str) -> None:
    assert all(of(text)) and all(of(text, "german"))


@given(st.text(st.characters(max_codepoint=0x2200), max_size=40) | st.text("ab1é_.,:;'’·ж ", max_size=40))
def test_of_usual_characters_both_ways_to_words_are_the_same(text: str) -> None:
    text = module._UNUSUAL.sub(" ", text.lower())
    assert module._USUAL.findall(text) == module._UNICODE.findall(text)


def test_of_each_usual_character_both_ways_to_words_are_the_same() -> None:
    usual = [chr(point) for point in range(0x21, 0x3000) if not module._UNUSUAL.match(chr(point))]
    usual = [character for character in usual if character == character.lower()]
    assert len(usual) > 450
    for form in ("{}", "a{}b", "1{}2"):
        text = " ".join(form.format(character) for character in usual)
        assert module._USUAL.findall(text) == module._UNICODE.findall(text)


@given(_TEXTS, _TEXTS)
def test_what_stands_beside_a_text_does_not_change_its_words(one: str, other: str) -> None:
    assert of(f"{one} / {other}") == of(one) + of(other)


def test_other_languages() -> None:
    assert of("Die Häuser des Hauses", "german") == ["haus", "haus"]
    assert of("s us", "swedish") == ["s", "us"]  # Short words are their own stems there, too.
    with pytest.raises(ConfigurationError, match="klingon"):
        Words("klingon")


def test_the_identity_says_what_words_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Words().identity() == Words().identity() != Words("german").identity()
    before = Words().identity()
    monkeypatch.setattr(module, "_ANALYSIS", 0)
    assert Words().identity() != before


def test_it_can_be_pickled() -> None:
    there: Any = pickle.loads(pickle.dumps(Words("german")))
    assert there.of(["Häuser"]) == Words("german").of(["Häuser"])
