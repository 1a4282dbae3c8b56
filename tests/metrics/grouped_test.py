import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.training.metrics.metric import Metric

from attribution.metrics import ExactMatch, Grouped, RankClassification, SoftExactMatch


def test_by_hand() -> None:
    metric = Metric.from_params(Params({"type": "grouped", "metrics": ["exact_match", "soft_exact_match"]}))
    rows = [
        ("yes", "yes", "one"),  # Both are right.
        ("yes it is", "yes", "one"),  # Only the soft one.
        ("no", "yes", "two"),
    ]
    for prediction, reference, template in rows:
        metric([prediction], [{"references": [reference], "template": template}])
    expected = {
        "exact_match": 1 / 3,
        "soft_exact_match": 2 / 3,
        "exact_match/one": 1 / 2,
        "soft_exact_match/one": 1.0,
        "exact_match/two": 0.0,
        "soft_exact_match/two": 0.0,
    }
    assert metric.get_metric() == pytest.approx(expected)
    assert metric.get_metric(reset=True) == pytest.approx(expected)
    assert metric.get_metric() == {"exact_match": 0.0, "soft_exact_match": 0.0}


def test_by_another_detail() -> None:
    metric = Grouped([ExactMatch()], by="task")
    metric(["a", "b"], [{"references": ["a"], "task": task} for task in ("imdb", "rte")])
    assert metric.get_metric() == {"exact_match": 0.5, "exact_match/imdb": 1.0, "exact_match/rte": 0.0}
    with pytest.raises(ConfigurationError, match="needs 'task' in the details of each row; row '7' has .'id'"):
        metric(["a"], [{"id": "7"}])


@pytest.mark.parametrize(
    "metrics, message",
    [
        ([], "needs at least one"),
        ([Grouped([ExactMatch()])], "none that is grouped"),
        ([RankClassification()], "RankClassification is not a metric of texts"),
        ([SoftExactMatch(), SoftExactMatch()], "SoftExactMatch is there twice"),
    ],
)
def test_wrong_metrics(metrics: list, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Grouped(metrics)
