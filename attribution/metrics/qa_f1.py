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

    without_words : `float`, optional (default = `1.0`)
        Of two texts that have no words in this form, such as an empty one and `A`: 1 in SQuAD 2.0, 0 in the few-shot
        gym (Ye et al., 2021, https://arxiv.org/abs/2104.08835).
    """

    name = "qa_f1"

    def __init__(self, without_words: float = 1.0) -> None:
        super().__init__()
        self.without_words = without_words

    def score(self, prediction: str, reference: str) -> float:
        return word_f1(prediction, reference, self.without_words)


def word_f1(prediction: str, reference: str, without_words: float = 1.0) -> float:
    """Of two texts without words `without_words`, of one without 0."""
    predicted, gold = normalize_answer(prediction).split(), normalize_answer(reference).split()
    if not predicted or not gold:
        return without_words if predicted == gold else 0.0
    shared = sum((Counter(predicted) & Counter(gold)).values())
    return 2 * shared / (len(predicted) + len(gold))
