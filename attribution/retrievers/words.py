"""Texts to the words that BM25 counts: Lucene's analysis of English, without a Java."""

import hashlib
import re
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import regex
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import Identity

_ANALYSIS = 2
"""Another number whenever a text's words change: an index of other words is then refused."""

# Word boundaries (https://www.unicode.org/reports/tr29, as of Unicode 12.1): what may stand inside a word of letters is
# `:` `.` `'` between two letters and `,` `;` `.` `'` between two digits. Of the usual characters of Latin, Greek and
# Cyrillic texts, in lower case, that is found ten times sooner than of all.
_USUAL_LETTERS = "a-zªµºß-öø-ɏά-ώѐ-ҁҋ-ԯ"
_UNUSUAL = re.compile(rf"[^\x00-\x7f{_USUAL_LETTERS}\xa0-¨«¬¯-´¶-¹»-¿×÷‐-—‘-„†-•…‰-›₠-₿←-↓]")
_USUAL = re.compile(
    rf"_*[0-9{_USUAL_LETTERS}][0-9_{_USUAL_LETTERS}]*"
    rf"(?:(?:(?<=[{_USUAL_LETTERS}])[:.'·‘’](?=[{_USUAL_LETTERS}])|(?<=[0-9])[,;.'‘’](?=[0-9]))[0-9_{_USUAL_LETTERS}]+)*"
)
_EXTENDED = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
_LETTER = r"[[\p{WB=ALetter}\p{WB=Hebrew_Letter}]--[¸˥-˫՚֊꜈-꜖]]"  # Without what became letters later.
_HEBREW = r"\p{WB=Hebrew_Letter}"
_DIGIT = r"[\p{WB=Numeric}\uFF10-\uFF19]"
_KATAKANA = r"\p{WB=Katakana}"
_BETWEEN_LETTERS = r"[[:\p{WB=MidLetter}\p{WB=MidNumLet}']--[՟]]"
_BETWEEN_DIGITS = r"[\p{WB=MidNum}\p{WB=MidNumLet}']"
_JOINER = r"\p{WB=ExtendNumLet}"
# Unicode 12.1's Extended_Pictographic and skin tones: later versions took stars and notes out again.
_PICTURE = (
    "[©®‼⁉™ℹ↔-↙↩↪⌚⌛⌨⎈⏏⏩-⏳⏸-⏺Ⓜ▪▫▶◀◻-◾☀-★☇-☒☔-⚅⚐-✅✈-✒✔✖✝✡✨✳✴❄❇❌❎❓-❕❗❣-❧➕-➗➡➰➿⤴⤵⬅-⬇⬛⬜⭐⭕〰〽㊗㊙"
    r"\U0001F000-\U0001F0FF\U0001F10D-\U0001F10F\U0001F12F\U0001F16C-\U0001F171\U0001F17E\U0001F17F\U0001F18E"
    r"\U0001F191-\U0001F19A\U0001F1AD-\U0001F1E5\U0001F201-\U0001F20F\U0001F21A\U0001F22F\U0001F232-\U0001F23A"
    r"\U0001F23C-\U0001F23F\U0001F249-\U0001F53D\U0001F546-\U0001F64F\U0001F680-\U0001F6FF\U0001F774-\U0001F77F"
    r"\U0001F7D5-\U0001F7FF\U0001F80C-\U0001F80F\U0001F848-\U0001F84F\U0001F85A-\U0001F85F\U0001F888-\U0001F88F"
    r"\U0001F8AE-\U0001F8FF\U0001F90C-\U0001F93A\U0001F93C-\U0001F945\U0001F947-\U0001FFFD]"
)
_UNICODE = regex.compile(
    rf"""
    (?:{_JOINER}{_EXTENDED})*+
    (?: {_KATAKANA}{_EXTENDED} (?:[{_KATAKANA}{_JOINER}]{_EXTENDED})*+
      | [{_LETTER}{_DIGIT}]{_EXTENDED}
        (?: [{_LETTER}{_DIGIT}{_JOINER}]{_EXTENDED}
          | (?<={_LETTER}{_EXTENDED}){_BETWEEN_LETTERS}{_EXTENDED}(?={_LETTER})
          | (?<={_DIGIT}{_EXTENDED}){_BETWEEN_DIGITS}{_EXTENDED}(?={_DIGIT})
          | (?<={_HEBREW}{_EXTENDED})(?:'|"(?={_HEBREW})){_EXTENDED}
        )*+
    )
    | \p{{LB=Complex_Context}}[\p{{LB=Complex_Context}}\p{{WB=Extend}}]*+
    | [\p{{Han}}\p{{Hiragana}}]{_EXTENDED}
    | [\#*0-9]\uFE0F?\u20E3
    | \p{{WB=Regional_Indicator}}{{2}}{_EXTENDED}
    | {_PICTURE}{_EXTENDED}(?:(?<=\u200D){_PICTURE}{_EXTENDED})*+
    """,
    regex.VERBOSE | regex.VERSION1,
)
_POSSESSIVE = ("'s", "’s", "＇s")
_VOWEL_AND_CONSONANT = re.compile("[aeiou][^aeiou]|[^aeiou]y[^aeiou]")
_BEYOND_THE_PAPER = re.compile("(?:bl|log)(?:[yi]s?|ies|[yi](?:ed|ing)s?)$")
_DOUBLED = re.compile("(.*(?:[aeiou]|[^aeiou]y).*([^aeioubdfgmnprtlszy]))\\2(?:ing|ed)s?")


class RowWords(NamedTuple):
    """The words of several texts."""

    words: List[str]
    """Different ones, in the order in which they first appear."""
    rows: List[List[int]]
    """For each text the places of its words in `words`, in the text's order."""


class Words:
    """
    Texts to the words that count. Of English that is what Lucene's `EnglishAnalyzer` makes of them: words by Unicode's
    rules for word boundaries (`don't`, `3.14`, `1,000`, `a.b.c` and `foo_bar` are one word each, a Chinese character is
    one, too), in lower case, without a possessive `'s`, without stop words, and then their Porter stems. Words under
    three letters are their own stems.

    # Parameters

    language : `str`, optional (default = `"english"`)
        Of the stop words (bm25s's lists; of English Lucene's) and of the stemmer (Snowball's, for English Porter's).

    # Raises

    `ConfigurationError` if there are no stop words or no stemmer for it.
    """

    def __init__(self, language: str = "english") -> None:
        self.language = language
        self.stop_words, self._stemmer = _stop_words_and_stemmer(language)

    def identity(self) -> Identity:
        """What a text's words depend on."""
        from Stemmer import version

        stop_words = hashlib.sha256(" ".join(sorted(self.stop_words)).encode()).hexdigest()
        return {"analysis": _ANALYSIS, "stemmer": version(), "stop_words": stop_words}

    def __getstate__(self) -> str:
        return self.language

    def __setstate__(self, language: str) -> None:
        self.__init__(language)  # type: ignore[misc]

    def of(self, texts: Sequence[str]) -> RowWords:
        numbers = _Numbers(self.stem)
        rows = [[number for number in map(numbers.__getitem__, _split(text)) if number >= 0] for text in texts]
        return RowWords(list(numbers.stems), rows)

    def stem(self, word: str) -> str:
        """Of a word in lower case; empty where it does not count."""
        if self.language == "english" and word.endswith(_POSSESSIVE):
            word = word[:-2]
        if word in self.stop_words:
            return ""
        if len(word) < 3:
            return word
        return _porter(word, self._stemmer) if self.language == "english" else self._stemmer(word)


def _porter(word: str, stemmer: Callable[[str], str]) -> str:
    """The stem as Porter's own program has it, and Lucene. Snowball's follows his paper, and differs in three rules."""
    doubled = _DOUBLED.fullmatch(word)  # trekking: any doubled consonant is undone, not some.
    stem = stemmer(doubled[1] if doubled else word)
    if stem.endswith(("bli", "logi")) and _BEYOND_THE_PAPER.search(word):
        if stem.endswith("bli") and _VOWEL_AND_CONSONANT.search(
            stem[:-3]
        ):  # possibly: bli becomes ble, not abli alone.
            return stemmer(f"{stem[:-1]}e")
        if stem.endswith("logi") and _VOWEL_AND_CONSONANT.search(stem[:-4]):  # psychology: logi becomes log.
            return stem[:-1]
    return stem


class _Numbers(Dict[str, int]):
    """A word to the number of its stem, -1 where it does not count."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        super().__init__()
        self.stems: Dict[str, int] = {}
        self._stem = stem

    def __missing__(self, word: str) -> int:
        stem = self._stem(word)
        self[word] = number = self.stems.setdefault(stem, len(self.stems)) if stem else -1
        return number


def _split(text: str) -> List[str]:
    if not text.isascii():
        text = text.replace("İ", "i").replace("Σ", "σ")  # Java changes the case of each character alone.
    text = text.lower()
    return (_USUAL if text.isascii() or not _UNUSUAL.search(text) else _UNICODE).findall(text)


def _stop_words_and_stemmer(language: str) -> Any:
    from bm25s.tokenization import Tokenizer
    from Stemmer import Stemmer

    try:
        stemmer = Stemmer("porter" if language == "english" else language, 0)  # Stems are kept by `_Numbers`.
        return frozenset(Tokenizer(stopwords=language).stopwords), stemmer.stemWord
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"bm25: no stemmer or stop words for {language!r} ({error})") from error
