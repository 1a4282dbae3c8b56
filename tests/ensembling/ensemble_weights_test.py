import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.ensembling import (
    LearnedWeighting,
    SoftmaxWeighting,
    TopKWeighting,
    UniformWeighting,
    leave_one_out_weights,
)
from attribution.ensembling.ensemble_weights import EnsembleWeights
from attribution.similarity import SimilarityMatrix

NAMES = ["a", "b", "c"]
SCORES = np.array([[0.0, 1.0, 2.0], [2.0, 0.0, 1.0], [1.0, 2.0, 0.0]])
LOSS = SimilarityMatrix(NAMES, NAMES, SCORES, False, "model")


def test_the_own_delta_is_left_out_even_where_its_score_is_missing() -> None:
    scores = SCORES.copy()
    np.fill_diagonal(scores, np.nan)
    matrix = SimilarityMatrix(NAMES, NAMES, scores, False, "model")
    weights = leave_one_out_weights(TopKWeighting(1), NAMES, NAMES, matrix)
    np.testing.assert_array_equal(weights.values, [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(leave_one_out_weights(TopKWeighting(1), NAMES, NAMES, LOSS).values, weights.values)


def test_rows_and_columns_are_found_by_name() -> None:
    weights = leave_one_out_weights(SoftmaxWeighting(1.0), ["c"], ["b", "a"], LOSS)
    np.testing.assert_allclose(weights.values, [[1 / (1 + np.e), np.e / (1 + np.e)]])
    assert weights.of_target("c")["weights"] == dict(zip(["b", "a"], weights.values[0].tolist()))
    np.testing.assert_array_equal(leave_one_out_weights(UniformWeighting(), ["new"], NAMES).values, [[1 / 3] * 3])


def test_what_is_said_of_a_target() -> None:
    weights = leave_one_out_weights(UniformWeighting(), NAMES, NAMES)
    assert weights.of_target("b") == {"target": "b", "effective_sources": 2.0, "weights": {"a": 0.5, "c": 0.5}}


def test_signed_weights_count_by_their_size() -> None:
    weights = EnsembleWeights(["t"], ["a", "b", "c"], np.array([[1.5, -1.5, 0.0]]), [])
    assert weights.effective_sources("t") == 2


def test_weights_are_tried_for_each_target_without_its_own_delta() -> None:
    tried = []

    def loss(target: str, weights: np.ndarray) -> float:
        tried.append((target, weights))
        return float(((weights - 0.5) ** 2).sum())

    weights = leave_one_out_weights(LearnedWeighting(penalty=0.0), NAMES, NAMES, loss=loss)
    np.testing.assert_allclose(weights.values, 0.5 * (1 - np.eye(3)), atol=0.02)
    assert [target for target, _ in tried[:1] + tried[-1:]] == ["a", "c"]
    assert not any(weights[NAMES.index(target)] for target, weights in tried)


def test_scores_by_part() -> None:
    by_part = SimilarityMatrix(NAMES, NAMES, np.stack([SCORES, -SCORES], 2), False, "block", ["x.0", "x.1"])
    weights = leave_one_out_weights(TopKWeighting(1), NAMES, NAMES, by_part)
    np.testing.assert_array_equal(weights.values[0], [[0, 0], [1, 0], [0, 1]])
    assert weights.of_target("a")["weights"] == {"b": [1.0, 0.0], "c": [0.0, 1.0]}
    assert weights.of_target("a")["parts"] == ["x.0", "x.1"] and weights.effective_sources("a") == 2
    with pytest.raises(ConfigurationError, match="2 parts of the model: use the merger per_block"):
        weights.whole()
    second = leave_one_out_weights(TopKWeighting(1), NAMES, NAMES, by_part, part=1)
    by_name = leave_one_out_weights(TopKWeighting(1), NAMES, NAMES, by_part, part="x.1")
    np.testing.assert_array_equal(by_name.values, second.values)
    with pytest.raises(ConfigurationError, match="part is x.2; the similarity matrix has scores of 2 parts: x.0, x.1"):
        leave_one_out_weights(UniformWeighting(), NAMES, NAMES, by_part, "x.2")
    np.testing.assert_array_equal(second.whole(), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    unnamed = SimilarityMatrix(NAMES, NAMES, by_part.scores, False, "block")
    with pytest.raises(ConfigurationError, match="does not name its parts"):
        leave_one_out_weights(UniformWeighting(), NAMES, NAMES, unnamed)
    for part in (-1, 2):
        with pytest.raises(ConfigurationError, match=f"part is {part}; the similarity matrix has scores of 2 parts"):
            leave_one_out_weights(UniformWeighting(), NAMES, NAMES, by_part, part)
    with pytest.raises(ConfigurationError, match="scores of 0 parts"):
        leave_one_out_weights(UniformWeighting(), NAMES, NAMES, LOSS, 0)
    with pytest.raises(ConfigurationError, match="`part` chooses among scores"):
        leave_one_out_weights(UniformWeighting(), NAMES, NAMES, None, 0)


def test_missing_scores() -> None:
    weighting = SoftmaxWeighting(1.0)
    with pytest.raises(ConfigurationError, match=r"the target 'd' has no scores \(1 such targets\)"):
        leave_one_out_weights(weighting, ["a", "d"], NAMES, LOSS)
    with pytest.raises(ConfigurationError, match="the source 'd' has no scores"):
        leave_one_out_weights(weighting, NAMES, [*NAMES, "d"], LOSS)
    for value in (np.nan, np.inf):
        scores = SCORES.copy()
        scores[1, 2] = value
        matrix = SimilarityMatrix(NAMES, NAMES, scores, False, "model")
        with pytest.raises(ConfigurationError, match=f"source 'c' for the target 'b' is {value}"):
            leave_one_out_weights(weighting, NAMES, NAMES, matrix)
    with pytest.raises(ConfigurationError, match="a: there is no source but its own delta"):
        leave_one_out_weights(UniformWeighting(), ["a"], ["a"])
