import pytest
from allennlp.common.checks import ConfigurationError

from attribution.metrics import ExactMatch, MetricList, QaF1, RankClassification, TextAccuracy


def test_values_of_all_and_the_right_option_where_a_row_has_no_references() -> None:
    metrics = MetricList([ExactMatch(), TextAccuracy()])
    details = [{"references": ["the cat"]}, {}, None]
    metrics(["cat", "dog", "no"], details, ["other", "dog", "yes"])
    assert metrics.get_metric() == pytest.approx({"exact_match": 2 / 3, "text_accuracy": 1 / 3})
    metrics.get_metric(reset=True)
    metrics(["cat"], None, ["cat"])
    assert metrics.get_metric() == {"exact_match": 1.0, "text_accuracy": 1.0}


def test_unlabelled_rows_without_references() -> None:
    with pytest.raises(ConfigurationError, match="'references' in the details of each row"):
        MetricList([ExactMatch()])(["cat"], [{"id": 1}], None)


def test_metrics_that_cannot_be_together() -> None:
    assert not MetricList([])
    with pytest.raises(ConfigurationError, match="metrics: RankClassification is not a metric of texts"):
        MetricList([RankClassification()])
    with pytest.raises(ConfigurationError, match="metrics: QaF1 is there twice"):
        MetricList([QaF1(), ExactMatch(), QaF1()])
