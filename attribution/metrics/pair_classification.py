"""How well a classifier of pairs tells those that go together."""

from typing import Any, Dict, Sequence, Tuple

from attribution.metrics.text_metric import TextMetric, mean


class PairClassification(TextMetric):
    """
    `accuracy` and `f1` (of the label 1) where a positive score means 1, and `auc`, the area under the ROC curve, which
    is 0 where there are pairs of one label only.
    """

    def record(self, prediction: Any, details: Any) -> Tuple[float, int]:
        """The score of a pair, and its label."""
        return float(prediction), int(details)

    def summary(self, records: Sequence[Tuple[float, int]]) -> Dict[str, float]:
        from sklearn.metrics import f1_score, roc_auc_score

        scores = [score for score, _ in records]
        labels = [label for _, label in records]
        predictions = [int(score > 0) for score in scores]
        return {
            "accuracy": mean([float(one == other) for one, other in zip(predictions, labels)]),
            "f1": float(f1_score(labels, predictions, zero_division=0.0)) if labels else 0.0,
            "auc": float(roc_auc_score(labels, scores)) if len(set(labels)) == 2 else 0.0,
        }
