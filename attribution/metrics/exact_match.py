"""Whether a prediction is a reference, by three measures of sameness."""

from allennlp.training.metrics.metric import Metric

from attribution.metrics.normalization import normalize_answer, without_punctuation
from attribution.metrics.text_metric import ReferenceMetric


class _NormalMatch(ReferenceMetric):
    """
    # Parameters

    lone_articles : `bool`, optional (default = `False`)
        Whether a text that is an article alone stays as it is. As published the answer "A" of a multiple choice is
        nothing, as good as any other article; where options are letters only this tells "A" from them.
    """

    def __init__(self, lone_articles: bool = False) -> None:
        super().__init__()
        self.lone_articles = lone_articles

    def normal(self, text: str) -> str:
        """Without case, punctuation, articles and outer spaces."""
        return normalize_answer(text) or (without_punctuation(text) if self.lone_articles else "")


@Metric.register("exact_match")
class ExactMatch(_NormalMatch):
    """
    How many predictions equal a reference when case, punctuation, articles and spaces are left out, as SQuAD, ReCross
    and the few-shot gym count them. Texts of which nothing is left are equal.

    Registered as a `Metric` with name "exact_match".

    # Parameters

    lone_articles : `bool`, optional (default = `False`)
        Whether the answer "A" stays as it is, and is not the same as "the", or as none.
    """

    name = "exact_match"

    def score(self, prediction: str, reference: str) -> float:
        return float(self.normal(prediction) == self.normal(reference))


@Metric.register("soft_exact_match")
class SoftExactMatch(_NormalMatch):
    """
    The same, but one text may also be part of the other, character by character: SoftEM, which ReCross reports (Lin et
    al., 2022, https://arxiv.org/abs/2204.07937). A text of which nothing is left matches none.

    Registered as a `Metric` with name "soft_exact_match".

    # Parameters

    lone_articles : `bool`, optional (default = `False`)
        Whether the answer "A" stays as it is: it is then part of every text with that letter. As published it is
        nothing, and never right.
    """

    name = "soft_exact_match"

    def score(self, prediction: str, reference: str) -> float:
        one, other = self.normal(prediction), self.normal(reference)
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
