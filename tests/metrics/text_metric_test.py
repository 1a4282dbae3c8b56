import pytest
from allennlp.common.checks import ConfigurationError

import attribution.metrics
from attribution.metrics import (
    ClassificationF1,
    Drop,
    ExactMatch,
    Matthews,
    MultiLabelF1,
    NaturalInstructions,
    Pearson,
    QaF1,
    QasperEvidence,
    RougeL,
    SacreBleu,
    SoftExactMatch,
    Squad,
    TextAccuracy,
    TextMetric,
)
from tests.metrics.conftest import measure, random_rows

WITHOUT_EXTRAS = [
    ClassificationF1, Drop, ExactMatch, Matthews, MultiLabelF1, Pearson, QaF1, QasperEvidence, SoftExactMatch, Squad,
    TextAccuracy,
]  # fmt: skip
ON_REFERENCES = [ClassificationF1, ExactMatch, Matthews, QaF1, SoftExactMatch, TextAccuracy, Drop, Squad]


@pytest.mark.parametrize("metric", [*WITHOUT_EXTRAS, RougeL, SacreBleu, NaturalInstructions])
def test_of_no_rows_every_value_is_0(metric: type) -> None:
    if metric not in WITHOUT_EXTRAS:
        pytest.importorskip("rouge_score")
        pytest.importorskip("sacrebleu")
    assert set(metric().get_metric().values()) == {0.0}


@pytest.mark.parametrize("metric", ON_REFERENCES)
def test_the_order_of_rows_and_their_batches_do_not_matter(metric: type) -> None:
    predictions, details = random_rows(seed=5)
    together = metric()
    together(predictions, details)
    assert together.get_metric() == measure(metric(), predictions[::-1], details[::-1])


def test_reset() -> None:
    metric = ExactMatch()
    metric(["a cat"], [{"references": ["cat"]}])
    assert metric.get_metric() == metric.get_metric(reset=True) == {"exact_match": 1.0}
    assert metric.get_metric() == {"exact_match": 0.0}


@pytest.mark.parametrize("metric", ON_REFERENCES)
def test_a_row_without_references(metric: type) -> None:
    with pytest.raises(ConfigurationError, match="needs 'references' in the details of each row; row '7' has .'id'."):
        metric()(["yes"], [{"id": "7"}])


@pytest.mark.parametrize("references", [[], "yes", None])
def test_references_that_are_no_list_or_an_empty_one(references: object) -> None:
    with pytest.raises(ConfigurationError, match="a list of texts is needed"):
        ExactMatch()(["yes"], [{"references": references}])


def test_every_metric_is_one_of_texts_but_the_ranking() -> None:
    names = set(attribution.metrics.__all__) - {"MeanLoss", "MetricList", "RankClassification"}
    assert all(issubclass(getattr(attribution.metrics, name), TextMetric) for name in names)
