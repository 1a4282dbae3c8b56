"""DROP's two numbers: answers are numbers, dates, or sets of spans."""

import re
import string
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Set, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, mean, references_of

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class DropRecord(NamedTuple):
    """One question."""

    kind: str
    exact: float
    f1: float


@Metric.register("drop")
class Drop(TextMetric):
    """
    `drop_em` and `drop_f1` as the official script computes them (Dua et al., 2019, https://arxiv.org/abs/1903.00161),
    as shares; and both for each kind of answer: `drop_number_em`, `drop_span_f1`, `drop_spans_f1`, `drop_date_f1`.
    Spans are paired off for the best F1, a pair whose numbers differ is worth nothing, and F1 is rounded to two digits
    for each question. Only questions with a prediction count.

    A row's `answers` are those of its annotators in DROP's own form: `{"number": str, "spans": [str], "date": {"day":
    str, "month": str, "year": str}}`. Without them each of its `references` is an answer of one span.

    Registered as a `Metric` with name "drop".

    # Parameters

    separator : `str`, optional (default = `"|"`)
        What stands between the spans of a prediction that has several, as in the targets of `drop_reader`.
    """

    def __init__(self, separator: str = "|") -> None:
        super().__init__()
        if not separator:
            raise ConfigurationError("drop: separator is empty; something that no answer has is needed")
        self.separator = separator

    def record(self, prediction: str, details: Details) -> DropRecord:
        spans = prediction.split(self.separator)
        best = DropRecord("none", 0.0, 0.0)
        for answer in details.get("answers") or [{"spans": [text]} for text in references_of(details)]:
            gold, kind = _spans(answer)
            if not gold[0].strip():
                continue  # An annotator that left it empty.
            exact, f1 = _compare(spans, gold)
            # Of answers that are as good the last one says what kind it is, as in the official script.
            kind = kind if exact >= best.exact or f1 >= best.f1 else best.kind
            best = DropRecord(kind, max(exact, best.exact), max(f1, best.f1))
        return best

    def summary(self, records: Sequence[DropRecord]) -> Dict[str, float]:
        groups: Dict[str, List[DropRecord]] = {"": list(records)}
        for record in records:
            groups.setdefault(f"_{record.kind}", []).append(record)
        values = {}
        for group, members in sorted(groups.items()):
            values[f"drop{group}_em"] = mean([record.exact for record in members])
            values[f"drop{group}_f1"] = mean([record.f1 for record in members])
        return values


def _spans(answer: Mapping[str, Any]) -> Tuple[List[str], str]:
    """The texts of an answer, and its kind."""
    if answer.get("number"):
        return [str(answer["number"])], "number"
    if answer.get("spans"):
        return list(answer["spans"]), "span" if len(answer["spans"]) == 1 else "spans"
    if "date" in answer:
        date = answer["date"]
        return [" ".join(str(date.get(part, "")) for part in ("day", "month", "year"))], "date"
    raise ConfigurationError(f"drop: an answer is a number, spans or a date, and not {dict(answer)!r:.120}")


def _compare(predicted: Sequence[str], gold: Sequence[str]) -> Tuple[float, float]:
    """EM and F1 of two lists of spans."""
    predicted, gold = [[_normalize(span) for span in spans] for spans in (predicted, gold)]
    exact = float(set(predicted) == set(gold) and len(predicted) == len(gold))
    f1 = _paired_f1([set(text.split()) for text in predicted], [set(text.split()) for text in gold])
    return exact, float(np.round(f1, 2))  # NumPy's rounding, and not Python's, is that of the official script.


def _paired_f1(predicted: List[Set[str]], gold: List[Set[str]]) -> float:
    from scipy.optimize import linear_sum_assignment

    # Shape: (gold spans, predicted spans)
    scores = np.array([[_word_f1(one, other) for one in predicted] for other in gold])
    return float(scores[linear_sum_assignment(scores, maximize=True)].sum()) / max(scores.shape)


def _word_f1(predicted: Set[str], gold: Set[str]) -> float:
    numbers = {word for word in gold if _is_number(word)}
    if numbers and not numbers & predicted:
        return 0.0
    if not predicted or not gold:  # Precision or recall of no words is 1.
        return float(predicted == gold)
    precision, recall = len(predicted & gold) / len(predicted), len(predicted & gold) / len(gold)
    return 2 * precision * recall / (precision + recall) if precision else 0.0


def _normalize(text: str) -> str:
    return " ".join(" ".join(_normalize_word(word) for word in re.split("[ -]", text.lower())).split())


def _normalize_word(word: str) -> str:
    if not _is_number(word):
        word = word.translate(_NO_PUNCTUATION)
    if _is_number(word):
        word = str(float(word))
    return _ARTICLES.sub(" ", word)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
