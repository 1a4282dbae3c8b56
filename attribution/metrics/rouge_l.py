"""The longest common subsequence of words."""

from typing import Any, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import ReferenceMetric


@Metric.register("rouge_l")
class RougeL(ReferenceMetric):
    """
    F-measure of the longest common subsequence of words (ROUGE-L, Lin, 2004, https://aclanthology.org/W04-1013), as the
    library rouge-score computes it: words are runs of ASCII letters and digits, in lower case. 0 where either text has
    none, in a script other than the Latin for instance. Needs the extra `metrics`.

    Registered as a `Metric` with name "rouge_l".

    # Parameters

    stemmer : `bool`, optional (default = `False`)
        Compares Porter's stems of words of more than three letters.
    """

    name = "rouge_l"

    def __init__(self, stemmer: bool = False) -> None:
        super().__init__()
        self._scorer = rouge_l_scorer(stemmer)

    def score(self, prediction: str, reference: str) -> float:
        return self._scorer.score(reference, prediction)["rougeL"].fmeasure


def rouge_l_scorer(stemmer: bool = False, tokenizer: Optional[Any] = None) -> Any:
    """rouge-score's scorer; a `tokenizer` is anything with `tokenize(text)`."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ConfigurationError(
            "rouge_l: rouge-score is not installed; pip install 'cross-task-attribution[metrics]'"
        ) from error
    return RougeScorer(["rougeL"], use_stemmer=stemmer, tokenizer=tokenizer)
