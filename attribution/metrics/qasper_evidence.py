"""Which paragraphs hold the evidence for an answer, as Qasper's annotators saw it."""

import json
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, detail, mean

FIGURE = "FLOAT SELECTED"
"""How evidence begins that is a table or a figure: no paragraph has it."""


class ParagraphRecord(NamedTuple):
    """One paragraph of a question's article."""

    question: str
    chosen: bool
    found: List[List[int]]
    """Which pieces of evidence the paragraph has, for each annotator."""
    sizes: List[int]
    """How many there are, for each annotator."""


class Overlap(NamedTuple):
    """What was chosen for a question, against one annotator."""

    f1: float
    precision: float
    recall: float


@Metric.register("qasper_evidence")
class QasperEvidence(TextMetric):
    """
    Rows are questions with one paragraph each, and a prediction says whether the paragraph is evidence. A question
    counts with the annotator that is best for its F1 (Dasigi et al., 2021, https://arxiv.org/abs/2105.03011). Precision
    is the share of the chosen paragraphs that have a piece of the annotator's evidence, recall the share of the pieces
    that are in a chosen paragraph: 1 where the annotator has no evidence and nothing was chosen, 0 where something was;
    of nothing chosen for an annotator with evidence, precision is 1 and recall 0. Values are means over questions:
    `qasper_evidence_f1`, `_precision`, `_recall`; `qasper_evidence_f1_of_nothing`, which choosing nothing would have;
    `qasper_evidence_chosen`, the share of questions for which something was chosen.

    Paragraphs and evidence are compared as the reader makes its labels: line breaks are spaces, and evidence is part of
    a paragraph. A row's details are the question's `id`, the `paragraph`, and `evidence`: each annotator's list of
    texts.

    Registered as a `Metric` with name "qasper_evidence".

    # Parameters

    positive : `str`, optional (default = `"Yes"`)
        The prediction that chooses a paragraph, in any case.
    text_evidence_only : `bool`, optional (default = `False`)
        Leaves out evidence that is a figure or a table, which no paragraph has.
    data_file : `str`, optional
        Qasper's JSON. Its questions without a row, of articles without text for instance, then count as nothing chosen.
    """

    def __init__(
        self, positive: str = "Yes", text_evidence_only: bool = False, data_file: Optional[str] = None
    ) -> None:
        super().__init__()
        if data_file is not None and not Path(data_file).is_file():
            raise ConfigurationError(f"qasper_evidence: data_file {data_file}: no such file")
        self._positive = positive.strip().lower()
        self._text_only = text_evidence_only
        self._data_file = data_file

    def record(self, prediction: str, details: Details) -> ParagraphRecord:
        paragraph = _clean(detail(details, "paragraph"))
        annotators = [self._pieces(texts) for texts in detail(details, "evidence")]
        found = [[at for at, piece in enumerate(pieces) if piece in paragraph] for pieces in annotators]
        chosen = prediction.strip().lower() == self._positive
        return ParagraphRecord(str(detail(details, "id")), chosen, found, [len(pieces) for pieces in annotators])

    def summary(self, records: Sequence[ParagraphRecord]) -> Dict[str, float]:
        sizes = {record.question: record.sizes for record in records}
        sizes = {**dict(self._questions_of_file()), **sizes}
        chosen: Dict[str, List[ParagraphRecord]] = {question: [] for question in sizes}
        for record in records:
            if record.chosen:
                chosen[record.question].append(record)
        best = [_best(chosen[question], sizes[question]) for question in sizes]
        return {
            "qasper_evidence_f1": mean([overlap.f1 for overlap in best]),
            "qasper_evidence_precision": mean([overlap.precision for overlap in best]),
            "qasper_evidence_recall": mean([overlap.recall for overlap in best]),
            "qasper_evidence_f1_of_nothing": mean([_best([], of_each).f1 for of_each in sizes.values()]),
            "qasper_evidence_chosen": mean([float(bool(paragraphs)) for paragraphs in chosen.values()]),
        }

    def _pieces(self, texts: Sequence[str]) -> List[str]:
        pieces = dict.fromkeys(_clean(text) for text in texts)
        return [text for text in pieces if text and not (self._text_only and text.startswith(FIGURE))]

    def _questions_of_file(self) -> Iterator[Tuple[str, List[int]]]:
        if self._data_file is None:
            return
        try:
            for article in json.loads(Path(self._data_file).read_text(encoding="utf-8-sig")).values():
                for question in article["qas"]:
                    evidence = [answer["answer"]["evidence"] for answer in question["answers"]]
                    yield question["question_id"], [len(self._pieces(texts)) for texts in evidence]
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"qasper_evidence: data_file {self._data_file}: not as Qasper 0.3 has it ({error!r})"
            ) from error


def _best(chosen: Sequence[ParagraphRecord], sizes: Sequence[int]) -> Overlap:
    """The overlap with the annotator that it is best for; of equals, the first."""
    overlaps = [_overlap([record.found[annotator] for record in chosen], size) for annotator, size in enumerate(sizes)]
    return max(overlaps, key=lambda overlap: overlap.f1, default=_overlap([[]] * len(chosen), 0))


def _overlap(found: Sequence[Sequence[int]], size: int) -> Overlap:
    if not size:
        nothing = float(not found)
        return Overlap(nothing, nothing, nothing)
    precision = sum(map(bool, found)) / len(found) if found else 1.0
    recall = len({piece for pieces in found for piece in pieces}) / size
    f1 = 2 * precision * recall / (precision + recall) if recall else 0.0
    return Overlap(f1, precision, recall)


def _clean(text: str) -> str:
    return text.replace("\n", " ").strip()
