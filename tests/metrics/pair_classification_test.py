import pytest

from attribution.metrics.pair_classification import PairClassification


def test_by_hand() -> None:
    metric = PairClassification()
    metric([2.0, -1.0], [1, 1])  # type: ignore[list-item, arg-type]
    metric([0.5, -3.0], [0, 0])  # type: ignore[list-item, arg-type]
    # One of two positives found, one false alarm; of the four pairs (1, 0) the scores of three are in order.
    assert metric.get_metric(reset=True) == {"accuracy": 0.5, "f1": 0.5, "auc": 0.75}
    assert metric.get_metric() == {"accuracy": 0.0, "f1": 0.0, "auc": 0.0}


def test_one_label_only() -> None:
    metric = PairClassification()
    metric([1.0, 2.0], [1, 1])  # type: ignore[list-item, arg-type]
    assert metric.get_metric() == pytest.approx({"accuracy": 1.0, "f1": 1.0, "auc": 0.0})
