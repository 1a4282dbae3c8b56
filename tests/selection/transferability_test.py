from typing import Any, Tuple

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from attribution.selection import h_score, log_me


def _task(rows: int, width: int, seed: int = 0, signal: float = 1.0) -> Tuple[np.ndarray, np.ndarray]:
    """Features, and three classes that some of them tell."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(rows, width))
    scores = signal * features[:, :3] + generator.normal(size=(rows, 3))
    return features, scores.argmax(1)


def _evidence_by_definition(features: np.ndarray, target: np.ndarray) -> float:
    """log N(target; 0, I / beta + F F' / alpha), the highest there is, a row."""

    def negative(logs: np.ndarray) -> float:
        alpha, beta = np.exp(logs)
        covariance = np.eye(len(target)) / beta + features @ features.T / alpha
        return -float(multivariate_normal.logpdf(target, np.zeros(len(target)), covariance))

    return -minimize(negative, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).fun / len(
        target
    )


@pytest.mark.parametrize("rows, width", [(40, 5), (20, 30)])
def test_log_me_is_the_highest_evidence(rows: int, width: int) -> None:
    features, labels = _task(rows, width)
    wanted = [_evidence_by_definition(features, (labels == label).astype(float)) for label in range(3)]
    assert log_me(features, labels) == pytest.approx(np.mean(wanted), abs=1e-5)
    numbers = features[:, 0] + np.random.default_rng(1).normal(size=rows)
    assert log_me(features, numbers) == pytest.approx(_evidence_by_definition(features, numbers), abs=1e-5)


def test_log_me_of_features_that_say_nothing() -> None:
    """Nothing, or what is orthogonal to the labels: only noise is left, whose best variance is their mean square."""
    labels = np.array([0.5, 0.5, -1.0, -1.0])
    wanted = -(np.log(2 * np.pi * np.mean(labels**2)) + 1) / 2
    for features in (np.zeros((4, 2)), np.array([[1.0], [-1.0], [1.0], [-1.0]])):
        assert log_me(features, labels) == pytest.approx(wanted)


def test_log_me_of_features_that_say_all() -> None:
    features, labels = np.eye(4)[:, :2], np.array([1, 1, 0, 0])
    assert np.isfinite(log_me(features, labels)) and log_me(features, labels) > log_me(features[::-1] * 0.5 + 1, labels)


def _h_score_by_definition(features: np.ndarray, labels: np.ndarray) -> float:
    means = np.stack([features[labels == label].mean(0) for label in labels])
    return float(np.trace(np.linalg.pinv(np.cov(features.T), rcond=1e-10) @ np.cov(means.T)))


def test_h_score_is_the_trace() -> None:
    features, labels = _task(60, 6)
    assert h_score(features, labels) == pytest.approx(_h_score_by_definition(features, labels))
    flat = np.hstack([features, features[:, :1] * 2, np.ones((60, 1))])  # Two directions without variance.
    assert h_score(flat, labels) == pytest.approx(_h_score_by_definition(flat, labels), abs=1e-6)
    assert h_score(flat, labels) == pytest.approx(h_score(features, labels))


def test_h_score_by_hand() -> None:
    # The first number is the class: as high as with two classes it can be. The second says nothing.
    labels = np.array([0, 0, 1, 1])
    assert h_score(np.array([[0.0], [0.0], [1.0], [1.0]]), labels) == pytest.approx(1)
    assert h_score(np.array([[0.0], [1.0], [0.0], [1.0]]), labels) == pytest.approx(0)
    # Variance 5/4, means 1/2 and 5/2 with variance 1.
    assert h_score(np.array([[0.0], [1.0], [2.0], [3.0]]), labels) == pytest.approx(1 / 1.25)


@pytest.mark.parametrize("score", [log_me, h_score])
def test_more_signal_scores_higher(score: Any) -> None:
    scores = [score(*_task(200, 8, signal=signal)) for signal in (0, 0.5, 2)]
    assert scores == sorted(scores)
    features, labels = _task(50, 4)
    assert score(features * 7, labels + 3) == pytest.approx(score(features, labels))


@pytest.mark.parametrize("score", [log_me, h_score])
@pytest.mark.parametrize(
    "change, message",
    [
        (lambda features, labels: (features[0], labels), r"floats of shape \(rows, width\) are needed"),
        (lambda features, labels: (features.astype(int), labels), "these are int64"),
        (lambda features, labels: (features, labels[1:]), r"one number a row is needed, 9; .* of shape \(8,\)"),
        (lambda features, labels: (features, labels.astype(str)), "one number a row is needed"),
        (lambda features, labels: (np.where(features > 1, np.nan, features), labels), "a value that is not a number"),
        (lambda features, labels: (features, labels * 0), "the labels are all the same"),
    ],
)
def test_what_cannot_be_scored(score: Any, change: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        score(*change(*_task(9, 3)))


def test_what_h_score_is_not_for() -> None:
    features, labels = _task(9, 3)
    with pytest.raises(ConfigurationError, match="whole numbers; use log_me"):
        h_score(features, labels.astype(float))
    with pytest.raises(ConfigurationError, match="4 rows of 3 numbers; more rows than numbers"):
        h_score(features[:4], np.array([0, 1, 0, 1]))
