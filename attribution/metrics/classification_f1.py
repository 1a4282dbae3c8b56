"""F1 of classes that are texts."""

from typing import Dict, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, references_of

_CLASSES = ("union", "gold")


@Metric.register("classification_f1")
class ClassificationF1(TextMetric):
    """
    F1 of predictions and first references, as texts without outer spaces, averaged over classes.

    Registered as a `Metric` with name "classification_f1".

    # Parameters

    classes : `str`, optional (default = `"union"`)
        What the mean is over. `union`: all texts that are somewhere right or predicted, as `Classification-F1` of the
        few-shot gym (Ye et al., 2021, https://arxiv.org/abs/2104.08835) and of task-level mixtures of experts (Ye et
        al., 2022): a prediction that is no class is a class whose F1 is 0. `gold`: those that are somewhere right, as
        in weight ensembling (Lv et al., 2023): a prediction that is no class is wrong, and no class of its own.
    """

    def __init__(self, classes: str = "union") -> None:
        super().__init__()
        if classes not in _CLASSES:
            raise ConfigurationError(f"classification_f1: classes {classes!r} is none of {', '.join(_CLASSES)}")
        self.classes = classes

    def record(self, prediction: str, details: Details) -> Tuple[str, str]:
        return prediction.strip(), references_of(details)[0].strip()

    def summary(self, records: Sequence[Tuple[str, str]]) -> Dict[str, float]:
        from sklearn.metrics import f1_score

        if not records:
            return {"classification_f1": 0.0}
        predictions, gold = zip(*records)
        labels = sorted({*gold, *(predictions if self.classes == "union" else ())})
        f1 = f1_score(gold, predictions, labels=labels, average="macro", zero_division=0)
        return {"classification_f1": float(f1)}
