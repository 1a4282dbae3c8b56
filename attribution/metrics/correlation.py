"""How well predictions and right answers go together."""

from math import isfinite
from typing import Dict, Optional, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, references_of


@Metric.register("matthews")
class Matthews(TextMetric):
    """
    Matthews' correlation coefficient, from -1 to 1, of predictions and first references, as texts without outer spaces.
    0 where it is not defined: all predictions or all references are the same.

    Registered as a `Metric` with name "matthews".

    # Parameters

    positive : `str`, optional
        Where this is the reference of a row, there are two classes: this text, and all others together. So a prediction
        that is no class counts as the other class: the few-shot gym's rule, for `acceptable` of CoLA (Ye et al., 2021).
        By default each text is a class of its own.
    """

    def __init__(self, positive: Optional[str] = None) -> None:
        super().__init__()
        self.positive = positive

    def record(self, prediction: str, details: Details) -> Tuple[str, str]:
        return prediction.strip(), references_of(details)[0].strip()

    def summary(self, records: Sequence[Tuple[str, str]]) -> Dict[str, float]:
        from sklearn.metrics import matthews_corrcoef

        predictions, gold = map(list, zip(*records)) if records else ([], [])
        if self.positive in gold:
            predictions, gold = ([text == self.positive for text in texts] for texts in (predictions, gold))
        defined = len(set(predictions)) > 1 and len(set(gold)) > 1
        return {"matthews": float(matthews_corrcoef(gold, predictions)) if defined else 0.0}


@Metric.register("pearson")
class Pearson(TextMetric):
    """
    Pearson's correlation, from -1 to 1, of predictions and first references, as numbers. 0 where it is not defined: all
    predictions or all references are the same.

    Registered as a `Metric` with name "pearson".

    # Parameters

    not_a_number : `float`, optional (default = `3.0`)
        What a prediction that is no number counts as: the middle of five stars, as in the few-shot gym.
    """

    def __init__(self, not_a_number: float = 3.0) -> None:
        super().__init__()
        self.not_a_number = not_a_number

    def record(self, prediction: str, details: Details) -> Tuple[float, float]:
        reference = references_of(details)[0]
        predicted, gold = _number(prediction), _number(reference)
        if gold is None:
            raise ConfigurationError(f"pearson: the reference {reference!r:.80} is not a number")
        return self.not_a_number if predicted is None else predicted, gold

    def summary(self, records: Sequence[Tuple[float, float]]) -> Dict[str, float]:
        from scipy.stats import pearsonr

        predictions, gold = zip(*records) if records else ((), ())
        defined = len(set(predictions)) > 1 and len(set(gold)) > 1
        return {"pearson": float(pearsonr(predictions, gold).statistic) if defined else 0.0}


def _number(text: str) -> Optional[float]:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
