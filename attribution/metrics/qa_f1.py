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

    # Parameters

    empty_matches : `bool`, optional (default = `True`)
        Whether two texts that have no words in this form, such as an empty one and `A`, are the same: so in SQuAD 2.0,
        and not in the few-shot gym (Ye et al., 2021, https://arxiv.org/abs/2104.08835).
    """

    name = "qa_f1"

    def __init__(self, empty_matches: bool = True) -> None:
        super().__init__()
        self.empty_matches = empty_matches

    def score(self, prediction: str, reference: str) -> float:
        return word_f1(prediction, reference, self.empty_matches)


def word_f1(prediction: str, reference: str, empty_matches: bool = True) -> float:
    """Of one text without words 0; of two 1, if empty ones match."""
    predicted, gold = normalize_answer(prediction).split(), normalize_answer(reference).split()
    if not predicted or not gold:
        return float(empty_matches and predicted == gold)
    shared = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * shared / (len(predicted) + len(gold))
