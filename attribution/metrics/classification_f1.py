"""F1 of classes that are texts."""

from typing import Dict, Sequence, Tuple

from allennlp.training.metrics.metric import Metric

from attribution.metrics.text_metric import Details, TextMetric, references_of


@Metric.register("classification_f1")
class ClassificationF1(TextMetric):
    """
    F1 of predictions and first references, as texts without outer spaces, averaged over the classes that are somewhere
    right: `Classification-F1` of the few-shot gym (Ye et al., 2021, https://arxiv.org/abs/2104.08835). A prediction
    that is no class is wrong, and no class of its own.

    Registered as a `Metric` with name "classification_f1".
    """

    def record(self, prediction: str, details: Details) -> Tuple[str, str]:
        return prediction.strip(), references_of(details)[0].strip()

    def summary(self, records: Sequence[Tuple[str, str]]) -> Dict[str, float]:
        from sklearn.metrics import f1_score

        if not records:
            return {"classification_f1": 0.0}
        predictions, gold = zip(*records)
        f1 = f1_score(gold, predictions, labels=sorted(set(gold)), average="macro", zero_division=0)
        return {"classification_f1": float(f1)}
