"""How many words of an answer a prediction has."""

from collections import Counter

from allennlp.training.metrics.metric import Metric

from attribution.metrics.normalization import normalize_answer
from attribution.metrics.text_metric import ReferenceMetric


@Metric.register("qa_f1")
class QaF1(ReferenceMetric):
    """
    F1 of the words that a prediction shares with a reference, without case, punctuation and articles (SQuAD, Rajpurkar
    et al., 2016, https://arxiv.org/abs/1606.05250).

    Registered as a `Metric` with name "qa_f1".
    """

    name = "qa_f1"

    def score(self, prediction: str, reference: str) -> float:
        return word_f1(prediction, reference)


def word_f1(prediction: str, reference: str) -> float:
    """Of two texts without words 1, of one without 0: the rule of SQuAD 2.0."""
    predicted, gold = normalize_answer(prediction).split(), normalize_answer(reference).split()
    if not predicted or not gold:
        return float(predicted == gold)
    shared = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * shared / (len(predicted) + len(gold))
