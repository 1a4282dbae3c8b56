"""The form in which answers are compared."""

import re
import string

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def without_punctuation(text: str) -> str:
    """Lower case, no ASCII punctuation, single spaces."""
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


def normalize_answer(text: str) -> str:
    """The same without `a`, `an` and `the`: SQuAD's form (Rajpurkar et al., 2016, https://arxiv.org/abs/1606.05250)."""
    return " ".join(_ARTICLES.sub(" ", without_punctuation(text)).split())
