"""Which epoch is the best, where a metric is not a number."""

from typing import List, Optional

import pytest
from allennlp.training.metric_tracker import MetricTracker

NAN = float("nan")


@pytest.mark.parametrize(
    "name, values, best",
    [
        ("+f1", [NAN, 0.5, 0.9, NAN, 0.7], 2),
        ("-loss", [NAN, NAN, 0.9, 0.5], 3),
        ("+f1", [0.5, NAN, 0.4], 0),
        ("+f1", [NAN, NAN], 0),
        ("+f1", [0.0, NAN, 0.0], 0),
    ],
)
def test_any_number_is_better_than_none(name: str, values: List[float], best: Optional[int]) -> None:
    tracker = MetricTracker(name, patience=2)
    for epoch, value in enumerate(values):
        tracker.add_metrics({name[1:]: value})
        assert tracker.is_best_so_far() == (tracker.best_epoch == epoch)
    assert tracker.best_epoch == best


def test_patience_ends_where_there_is_never_a_number() -> None:
    tracker = MetricTracker("+f1", patience=2)
    for _ in range(3):
        assert not tracker.should_stop_early()
        tracker.add_metrics({"f1": NAN})
    assert tracker.should_stop_early()
