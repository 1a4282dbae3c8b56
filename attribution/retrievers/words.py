"""Texts to the words that BM25 counts: Lucene's analysis of English, without a Java."""

import hashlib
import re
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import regex
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import Identity

_ANALYSIS = 2
"""Another number whenever a text's words change: an index of other words is then refused."""

# Word boundaries (https://www.unicode.org/reports/tr29, as of Unicode 12.1): what may stand inside a word of letters is
# `:` `.` `'` between two letters and `,` `;` `.` `'` between two digits. Of ASCII alone that is found much sooner.
_ASCII = re.compile(
    r"_*[a-z0-9][a-z0-9_]*(?:(?:(?<=[a-z])[:.'](?=[a-z])|(?<=[0-9])[,;.'](?=[0-9]))[a-z0-9_]+)*", re.ASCII
)
_EXTENDED = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
_LETTER = r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]"
_DIGIT = r"[\p{WB=Numeric}\uFF10-\uFF19]"
_KATAKANA = r"\p{WB=Katakana}"
_BETWEEN_LETTERS = r"[:\p{WB=MidLetter}\p{WB=MidNumLet}']"
_BETWEEN_DIGITS = r"[\p{WB=MidNum}\p{WB=MidNumLet}']"
_JOINER = r"\p{WB=ExtendNumLet}"
_UNICODE = regex.compile(
    rf"""
    (?:{_JOINER}{_EXTENDED})*+
    (?: {_KATAKANA} (?:[{_KATAKANA}{_JOINER}]|{_EXTENDED})
      | [{_LETTER}{_DIGIT}]{_EXTENDED}
        (?: [{_LETTER}{_DIGIT}{_JOINER}]{_EXTENDED}
          | (?<={_LETTER}{_EXTENDED}){_BETWEEN_LETTERS}{_EXTENDED}(?={_LETTER})
          | (?<={_DIGIT}{_EXTENDED}){_BETWEEN_DIGITS}{_EXTENDED}(?={_DIGIT})
        )*+
    )
    | \p{{LB=Complex_Context}}[\p{{LB=Complex_Context}}\p{{WB=Extend}}]*+
    | [\p{{Han}}\p{{Hiragana}}]{_EXTENDED}
    """,
    regex.VERBOSE | regex.VERSION1,
)
_POSSESSIVE = ("'s", "’s", "＇s")
_VOWEL_AND_CONSONANT = re.compile("[aeiou][^aeiou]|[^aeiou]y[^aeiou]")
