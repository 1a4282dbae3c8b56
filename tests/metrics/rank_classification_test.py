from typing import Any, List

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from attribution.metrics import RankClassification


def _add(metric: RankClassification, predictions: List[int], gold: List[int], options: int) -> None:
    metric(torch.tensor(predictions), torch.tensor(gold), torch.full((len(gold),), options))


@pytest.mark.parametrize("relevant", [0, 1, 2])
def test_equals_scikit_learn(relevant: int) -> None:
    generator = torch.Generator().manual_seed(3)
    predictions, gold = torch.randint(0, 4, (2, 200), generator=generator).tolist()
    metric = RankClassification(relevant)
    _add(metric, predictions[:70], gold[:70], 4)
    _add(metric, predictions[70:], gold[70:], 4)
    expected: Any = {
        "accuracy": accuracy_score(gold, predictions),
        "precision": precision_score(gold, predictions, labels=[relevant], average="macro"),
        "recall": recall_score(gold, predictions, labels=[relevant], average="macro"),
        "micro_f1": f1_score(gold, predictions, average="micro"),
        "macro_f1": f1_score(gold, predictions, average="macro"),
    }
    assert metric.get_metric(reset=True) == pytest.approx(expected)
    assert metric.get_metric() == {}


def test_by_hand_with_different_numbers_of_options() -> None:
    metric = RankClassification()
    _add(metric, [0, 1], [0, 0], 2)
    _add(metric, [2], [2], 3)
    _add(metric, [0, 0, 0], [0, 0, 0], 1)  # There was no choice.
    # Position 0: 1 right of 1 predicted and 2 gold, F1 2/3. Position 1: F1 0. Position 2: F1 1.
    assert metric.get_metric() == pytest.approx(
        {"accuracy": 2 / 3, "precision": 1.0, "recall": 0.5, "micro_f1": 2 / 3, "macro_f1": (2 / 3 + 0 + 1) / 3}
    )
