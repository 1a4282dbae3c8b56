"""Whether a prediction is a reference, by three measures of sameness."""

from allennlp.training.metrics.metric import Metric

from attribution.metrics.normalization import normalize_answer, without_punctuation
from attribution.metrics.text_metric import ReferenceMetric


@Metric.register("exact_match")
class ExactMatch(ReferenceMetric):
    """
    How many predictions equal a reference when case, punctuation, articles and spaces are left out, as SQuAD, ReCross
    and the few-shot gym count them. An article alone, such as the answer "A", is left as it is (there, it is nothing).
    Texts of which nothing is left are equal.

    Registered as a `Metric` with name "exact_match".
    """

    name = "exact_match"

    def score(self, prediction: str, reference: str) -> float:
        return float(_normal(prediction) == _normal(reference))


@Metric.register("soft_exact_match")
class SoftExactMatch(ReferenceMetric):
    """
    The same, but one text may also be part of the other, character by character: SoftEM, which ReCross reports (Lin et
    al., 2022, https://arxiv.org/abs/2204.07937). A text of which nothing is left matches none.

    Registered as a `Metric` with name "soft_exact_match".
    """

    name = "soft_exact_match"

    def score(self, prediction: str, reference: str) -> float:
        one, other = _normal(prediction), _normal(reference)
        return float(bool(one and other) and (one in other or other in one))


@Metric.register("text_accuracy")
class TextAccuracy(ReferenceMetric):
    """
    How many predictions equal a reference but for case and outer spaces: `ACC` of the few-shot gym (Ye et al., 2021,
    https://arxiv.org/abs/2104.08835).

    Registered as a `Metric` with name "text_accuracy".
    """

    name = "text_accuracy"

    def score(self, prediction: str, reference: str) -> float:
        return float(prediction.strip().lower() == reference.strip().lower())


def _normal(text: str) -> str:
    return normalize_answer(text) or without_punctuation(text)
