import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.ensembling import LearnedWeighting, SimilarityRow

WANTED = np.array([0.8, 0.0, -0.4, 0.3])


def _loss(weights: np.ndarray) -> float:
    return float(((weights - WANTED) ** 2).sum())


ROW = SimilarityRow("t", ["a", "b", "c", "d"], loss=_loss)


def test_finds_the_weights_of_the_lowest_loss_within_the_evaluations() -> None:
    tried = []

    def counted(weights: np.ndarray) -> float:
        tried.append(weights.copy())
        return _loss(weights)

    found = LearnedWeighting(evaluations=200, penalty=0.0).weigh(ROW._replace(loss=counted))
    np.testing.assert_allclose(found, WANTED, atol=0.02)
    assert len(tried) <= 201 and np.abs(tried).max() <= 1.5
    np.testing.assert_array_equal(tried[0], np.zeros(4))
    assert _loss(found) == min(map(_loss, tried))
    np.testing.assert_array_equal(LearnedWeighting(evaluations=200, penalty=0.0).weigh(ROW), found)


def test_the_penalty_makes_weights_smaller_and_the_bound_holds() -> None:
    # Of (w - a)^2 + p |w| the minimum is at |w| = |a| - p / 2, or 0.
    found = LearnedWeighting(evaluations=400, penalty=0.4).weigh(ROW)
    np.testing.assert_allclose(found, [0.6, 0.0, -0.2, 0.1], atol=0.07)
    np.testing.assert_allclose(LearnedWeighting(bound=0.5, penalty=0).weigh(ROW), [0.5, 0, -0.4, 0.3], atol=0.05)


def test_a_loss_that_is_no_number_at_some_places() -> None:
    def broken(weights: np.ndarray) -> float:
        return float("nan") if weights[1] > 0.1 else _loss(weights)

    found = LearnedWeighting(evaluations=200, penalty=0).weigh(ROW._replace(loss=broken))
    assert _loss(found) < _loss(np.zeros(4)) / 4
    with pytest.raises(ConfigurationError, match="the loss was never a number"):
        LearnedWeighting().weigh(ROW._replace(loss=lambda weights: float("nan")))


def test_mistakes() -> None:
    with pytest.raises(ConfigurationError, match="there is none here"):
        LearnedWeighting().weigh(ROW._replace(loss=None))
    with pytest.raises(ConfigurationError, match="evaluations is 5; 4 sources need at least 6"):
        LearnedWeighting(evaluations=5).weigh(ROW)
    for setting in ({"evaluations": 0}, {"bound": 0.0}, {"penalty": -1.0}):
        with pytest.raises(ConfigurationError, match=f"learned: {next(iter(setting))} is"):
            LearnedWeighting(**setting)  # type: ignore[arg-type]
