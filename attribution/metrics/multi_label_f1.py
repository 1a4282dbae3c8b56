"""F1 of texts that have any number of labels, from a yes or no for each."""

from collections import Counter
from typing import Dict, NamedTuple, Sequence, Set, Tuple

from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, detail, mean, references_of


class LabelRecord(NamedTuple):
    """Whether a text has a label."""

    text: str
    label: str
    predicted: bool
    gold: bool


@Metric.register("multi_label_f1")
class MultiLabelF1(TextMetric):
    """
    `multi_label_micro_f1` and `multi_label_macro_f1` of data sets such as UNFAIR-ToS and EURLEX, whose texts become one
    yes-or-no question for each label. A row's details are the text's `id` and the `label`; its first reference is
    right. A label that was not asked about for a text counts as absent, and F1 of a label that is never right and never
    predicted is 0.

    Registered as a `Metric` with name "multi_label_f1".

    # Parameters

    positive : `str`, optional (default = `"yes"`)
        The answer that gives a text the label, in any case.
    unlabelled_class : `bool`, optional (default = `True`)
        Counts texts without labels, right or predicted, as one more label, as LexGLUE does for UNFAIR-ToS
        (Chalkidis et al., 2022, https://arxiv.org/abs/2110.00976). Where all texts have labels, as in EURLEX, it only
        lowers the macro average.
    """

    def __init__(self, positive: str = "yes", unlabelled_class: bool = True) -> None:
        super().__init__()
        self._positive = positive.strip().lower()
        self._unlabelled_class = unlabelled_class

    def record(self, prediction: str, details: Details) -> LabelRecord:
        return LabelRecord(
            str(detail(details, "id")),
            str(detail(details, "label")),
            self._is_positive(prediction),
            self._is_positive(references_of(details)[0]),
        )

    def summary(self, records: Sequence[LabelRecord]) -> Dict[str, float]:
        texts = {record.text for record in records}
        chosen = self._pairs(texts, [record for record in records if record.predicted])
        wanted = self._pairs(texts, [record for record in records if record.gold])
        counts = [Counter(label for _, label in pairs) for pairs in (chosen & wanted, chosen, wanted)]
        labels = {record.label for record in records} | ({""} if self._unlabelled_class and records else set())
        return {
            "multi_label_micro_f1": _f1(len(chosen & wanted), len(chosen), len(wanted)),
            "multi_label_macro_f1": mean([_f1(*(count[label] for count in counts)) for label in labels]),
        }

    def _pairs(self, texts: Set[str], records: Sequence[LabelRecord]) -> Set[Tuple[str, str]]:
        """Each text with each of its labels, or with the empty label where texts without labels count."""
        pairs = {(record.text, record.label) for record in records}
        labelled = {text for text, _ in pairs}
        return pairs | {(text, "") for text in texts - labelled if self._unlabelled_class}

    def _is_positive(self, text: str) -> bool:
        return text.strip().lower() == self._positive


def _f1(right: int, predicted: int, gold: int) -> float:
    return 2 * right / (predicted + gold) if right else 0.0
