from typing import Any

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.metrics import WordMetric


def _metric(config: Any) -> Any:
    return WordMetric.from_params(Params(config))


def test_accuracy_at_k() -> None:
    metric = _metric({"type": "accuracy", "at": [2, 3]})
    assert metric.depth == 3 and not metric.numbers
    best = [["a", "b", "c"], ["b", "a", "c"], ["c", "b", "a"]]
    metric([best, best[:1]], [["a", "a", "a"], ["never seen"]])
    assert metric.get_metric(reset=True) == {"accuracy": 0.25, "accuracy@2": 0.5, "accuracy@3": 0.75}
    assert metric.get_metric() == {"accuracy": 0, "accuracy@2": 0, "accuracy@3": 0}


@pytest.mark.parametrize(
    "encoding, found, right, both, predicted, there",
    [
        # X from 0 to 1 is right; Y ends too late; the second Z is missed.
        ("BIO", "B-X I-X O B-Y I-Y O O", "B-X I-X O B-Y O O B-Z", 1, 2, 3),
        # In IOB1 spans begin with I-, and B- is between two.
        ("IOB1", "I-X I-X I-X O I-Y", "I-X B-X I-X O I-Y", 1, 2, 3),
        ("BIO", "O O", "B-NEW I-NEW", 0, 0, 1),
        ("BIO", "O", "O", 0, 0, 0),
    ],
)
def test_span_f1(encoding: str, found: str, right: str, both: int, predicted: int, there: int) -> None:
    metric = _metric({"type": "span_f1", "encoding": encoding})
    metric([[[tag] for tag in found.split()]], [right.split()])
    values = metric.get_metric()
    assert values["precision"] == both / max(predicted, 1) and values["recall"] == both / max(there, 1)
    assert values["f1"] == 2 * both / max(predicted + there, 1)


def test_spans_do_not_go_over_sentences() -> None:
    metric = _metric({"type": "span_f1"})
    metric([[["B-X"]], [["I-X"]]], [["B-X"], ["B-X"]])  # AllenNLP reads an I- of its own as a span.
    assert metric.get_metric()["f1"] == 1
    metric([[["B-X"], ["I-X"]]], [["B-X", "B-X"]])
    assert metric.get_metric() == {"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7}


def test_f1_of_a_class() -> None:
    metric = _metric({"type": "f1", "label": "i"})
    metric([[["i"], ["i"], ["c"], ["c"]], [["c"]]], [["i", "c", "i", "c"], ["i"]])
    assert metric.get_metric() == {"precision": 0.5, "recall": 1 / 3, "f1": 0.4}


def test_pearson() -> None:
    metric = _metric({"type": "pearson"})
    assert metric.numbers
    metric([[1.0], [2.0, 3.0]], [[-1.0], [-2.0, -3.0]])
    assert metric.get_metric(reset=True)["pearson"] == pytest.approx(-1)
    metric([[1.0, 1.0]], [[0.0, 1.0]])
    assert metric.get_metric()["pearson"] == 0


def test_what_does_not_fit() -> None:
    for config, message in (
        ({"type": "accuracy", "at": [1]}, r"at is \[1\]; numbers from 2 on"),
        ({"type": "span_f1", "encoding": "BIOUL"}, "encoding 'BIOUL' is none of BIO, IOB1"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            _metric(config)
    with pytest.raises(ConfigurationError, match="span_f1: 'NNS VBP' are no BIO tags"):
        _metric({"type": "span_f1"})([[["O"], ["O"]]], [["NNS", "VBP"]])
