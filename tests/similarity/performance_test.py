import json
from pathlib import Path
from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity import Performance, Source, TargetTask

PAIR = "TARGET={target},SOURCE={source}"


@pytest.fixture
def gain(tmp_path: Path) -> Callable[..., float]:
    """(metrics after tuning, before it) -> the score."""

    def compare(after: Any, before: Any, **settings: Any) -> float:
        patterns = {}
        for step, metrics in (("after", after), ("before", before)):
            folder = tmp_path / step / "TARGET=rte,SOURCE=boolq"
            folder.mkdir(parents=True)
            (folder / "metrics.json").write_text(json.dumps(metrics))
            patterns[step] = str(tmp_path / step / PAIR / "metrics.json")
        measure = Performance(**patterns, **settings)
        assert len(measure.pair_files("rte", "boolq")) == 2
        return measure.compare(TargetTask("rte", []), Source("boolq", tmp_path), None, None)["model"]

    return compare


@pytest.mark.parametrize(
    "after, before",
    [
        ({"best_validation_accuracy": 0.75, "accuracy": 0.1}, {"accuracy": 0.5, "validation_accuracy": 0.9}),
        ({"accuracy": 0.75}, {"validation_accuracy": 0.5, "loss": 2.0}),
        ({"best_validation_accuracy": 1, "validation_accuracy": 0.6}, {"accuracy": 0.75}),
    ],
)
def test_the_best_score_after_less_that_before(after: Any, before: Any, gain: Callable[..., float]) -> None:
    assert gain(after, before) == pytest.approx(0.25) and Performance.higher_is_better


def test_another_metric(gain: Callable[..., float]) -> None:
    assert gain({"best_validation_fewshot_gym": 0.5, "accuracy": 1.0}, {"fewshot_gym": 0.75}, metric="fewshot_gym") < 0


@pytest.mark.parametrize(
    "after, before, message",
    [
        (
            {"best_validation_loss": 1.0, "note": "x"},
            {},
            "no best_validation_accuracy and no accuracy .*best_validation_loss$",
        ),
        ({"accuracy": 1.0}, {}, "no accuracy and no validation_accuracy .measure.metric.; there are none"),
        ({"accuracy": "1"}, {}, "accuracy is '1'; a number is needed"),
        ([], {}, "a JSON object is needed"),
    ],
)
def test_metrics_that_are_not_there(after: Any, before: Any, message: str, gain: Callable[..., float]) -> None:
    with pytest.raises(ConfigurationError, match=f"SOURCE=boolq/metrics.json: .*{message}"):
        gain(after, before)


def test_a_training_that_is_missing(tmp_path: Path) -> None:
    measure = Performance(str(tmp_path / PAIR), str(tmp_path / PAIR))
    with pytest.raises(ConfigurationError, match="measure.after: of the target 'rte' and the source 'boolq'"):
        measure.pair_files("rte", "boolq")


def test_a_loss_is_no_performance() -> None:
    with pytest.raises(ConfigurationError, match="measure.metric: of a loss less is better"):
        Performance(PAIR, PAIR, "loss")
