"""SQuAD's two numbers, with questions that have no answer."""

from typing import Dict, NamedTuple, Optional, Sequence

from allennlp.training.metrics.metric import Metric

from attribution.metrics.normalization import normalize_answer
from attribution.metrics.qa_f1 import word_f1
from attribution.metrics.text_metric import Details, TextMetric, detail, mean


class SquadRecord(NamedTuple):
    """One question."""

    answerable: bool
    exact: float
    f1: float


@Metric.register("squad")
class Squad(TextMetric):
    """
    `squad_em` and `squad_f1` as the official script of SQuAD 2.0 computes them (Rajpurkar et al., 2018,
    https://arxiv.org/abs/1806.03822), as shares; and the same of questions with and without an answer, where there are
    some: `squad_has_answer_em`, `squad_no_answer_em` and so on. The right prediction for a question whose `references`
    are empty is the empty text.

    Registered as a `Metric` with name "squad".

    # Parameters

    no_answer : `str`, optional
        The words for "no answer" in prompts, such as "unanswerable": they count as the empty text.
    """

    def __init__(self, no_answer: Optional[str] = None) -> None:
        super().__init__()
        self._no_answer = None if no_answer is None else normalize_answer(no_answer)

    def record(self, prediction: str, details: Details) -> SquadRecord:
        references = [text for text in map(self._text, detail(details, "references")) if text]
        predicted = self._text(prediction)
        return SquadRecord(
            bool(references),
            max(float(predicted == reference) for reference in references or [""]),
            max(word_f1(predicted, reference) for reference in references or [""]),
        )

    def summary(self, records: Sequence[SquadRecord]) -> Dict[str, float]:
        groups = {
            "": records,
            "_has_answer": [record for record in records if record.answerable],
            "_no_answer": [record for record in records if not record.answerable],
        }
        values = {}
        for group, members in groups.items():
            if members or not group:
                values[f"squad{group}_em"] = mean([record.exact for record in members])
                values[f"squad{group}_f1"] = mean([record.f1 for record in members])
        return values

    def _text(self, text: str) -> str:
        normalized = normalize_answer(text)
        return "" if normalized == self._no_answer else normalized
