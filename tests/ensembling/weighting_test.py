import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.ensembling import (
    GroupWeighting,
    LearnedWeighting,
    LinearWeighting,
    SimilarityRow,
    SoftmaxWeighting,
    TopKWeighting,
    UniformWeighting,
    Weighting,
)

LISTS = Path(__file__).parents[2] / "data" / "weight_ensembling_tasks.json"
ROW = SimilarityRow("t", ["a", "b", "c", "d"], np.array([0.2, 0.3, 0.1, 0.4]))


@pytest.mark.parametrize(
    "config",
    [
        {"type": "softmax", "temperature": 0.1},
        {"type": "uniform"},
        {"type": "group", "categories": {"x": ["t", "b", "d"], "y": ["a"]}},
        {"type": "top_k", "k": 2},
        {"type": "top_k", "k": 3, "weighting": {"type": "softmax", "temperature": 2}},
        {"type": "linear"},
    ],
)
def test_every_weighting_is_convex_and_follows_the_sources(config: Any) -> None:
    weighting = Weighting.from_params(Params(config))
    weights = weighting.weigh(ROW)
    assert weights.shape == (4,) and weights.min() >= 0
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-15)
    order = [2, 0, 3, 1]
    assert ROW.scores is not None
    mixed = ROW._replace(sources=[ROW.sources[place] for place in order], scores=ROW.scores[order])
    np.testing.assert_allclose(weighting.weigh(mixed), weights[order], rtol=1e-12)


def test_softmax_by_hand_and_at_both_ends() -> None:
    row = SimilarityRow("t", ["a", "b"], np.array([0.0, np.log(3) / 2]))
    np.testing.assert_allclose(SoftmaxWeighting(0.5).weigh(row), [0.25, 0.75])
    np.testing.assert_allclose(SoftmaxWeighting(1e-5).weigh(ROW), [0, 0, 0, 1], atol=1e-300)
    np.testing.assert_allclose(SoftmaxWeighting(1e9).weigh(ROW), [0.25] * 4, rtol=1e-8)
    huge = ROW._replace(scores=np.array([1e8, 1e8 + 1, 0, -1e8]))
    np.testing.assert_allclose(SoftmaxWeighting(1.0).weigh(huge)[:2], 1 / (1 + np.exp([1.0, -1.0])))


def test_the_sign_is_that_of_the_measure() -> None:
    """The published script has one sign for all measures: with it cosines weight the least similar source most."""
    worst_first = SoftmaxWeighting(0.1).weigh(ROW._replace(higher_is_better=False))
    assert np.argmax(SoftmaxWeighting(0.1).weigh(ROW)) == 3 and np.argmax(worst_first) == 2
    np.testing.assert_array_equal(TopKWeighting(1).weigh(ROW), [0, 0, 0, 1])
    np.testing.assert_array_equal(TopKWeighting(1).weigh(ROW._replace(higher_is_better=False)), [0, 0, 1, 0])


def test_top_k_weights_only_the_best() -> None:
    weights = TopKWeighting(2, SoftmaxWeighting(0.1)).weigh(ROW)
    np.testing.assert_allclose(weights, [0, 1 / (1 + np.e), 0, np.e / (1 + np.e)])
    equal = ROW._replace(scores=np.zeros(4))
    np.testing.assert_array_equal(TopKWeighting(2).weigh(equal), [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(TopKWeighting(2, LinearWeighting()).weigh(ROW), [0, 3 / 7, 0, 4 / 7])


def test_weights_are_learned_of_the_best_sources() -> None:
    wanted = np.array([0.9, 0.4, 0.0, -0.3])
    tried = []

    def loss(weights: np.ndarray) -> float:
        tried.append(weights)
        return float(((weights - wanted) ** 2).sum())

    weighting = TopKWeighting(2, LearnedWeighting(penalty=0.0))
    assert weighting.needs_loss and not TopKWeighting(2).needs_loss
    row = SimilarityRow("t", list("abcd"), np.array([1.0, 5.0, 4.0, 0.0]), False, loss)
    np.testing.assert_allclose(weighting.weigh(row), [0.9, 0.0, 0.0, -0.3], atol=0.02)
    assert not np.array(tried)[:, 1:3].any()


def test_linear_divides_by_the_sum() -> None:
    np.testing.assert_allclose(LinearWeighting().weigh(ROW), [0.2, 0.3, 0.1, 0.4])
    for row in (
        ROW._replace(higher_is_better=False),
        ROW._replace(scores=np.array([0.5, -0.1, 0.3, 0.3])),
        ROW._replace(scores=np.zeros(4)),
    ):
        with pytest.raises(ConfigurationError, match="linear: the scores of 't' cannot be shares.*softmax"):
            LinearWeighting().weigh(row)


def test_groups_are_the_manual_categories() -> None:
    weighting = GroupWeighting(str(LISTS))
    assert weighting.inputs() == [LISTS]
    row = SimilarityRow("adversarialqa", ["boolq", "hotpot_qa", "superglue-record", "swag"])
    np.testing.assert_array_equal(weighting.weigh(row), [0, 0.5, 0.5, 0])
    assert TopKWeighting(1, weighting).inputs() == [LISTS]
    with pytest.raises(ConfigurationError, match="the target 'mine' is in none of"):
        weighting.weigh(row._replace(target="mine"))
    with pytest.raises(ConfigurationError, match="no source but 'mc_taco' itself is in its category 'binary'"):
        weighting.weigh(SimilarityRow("mc_taco", ["swag"]))


def test_without_scores() -> None:
    row = ROW._replace(scores=None)
    np.testing.assert_array_equal(UniformWeighting().weigh(row), [0.25] * 4)
    for weighting in (SoftmaxWeighting(1.0), TopKWeighting(1), LinearWeighting()):
        with pytest.raises(ConfigurationError, match="needs scores: name a similarity matrix"):
            weighting.weigh(row)


@pytest.mark.parametrize("temperature", [0, -1, float("nan"), float("inf"), 10**308])
def test_a_temperature_that_is_none(temperature: float) -> None:
    with pytest.raises(ConfigurationError, match="temperature is .*; a number above 0 is needed"):
        SoftmaxWeighting(temperature)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="k is 0"):
        TopKWeighting(0)
    with pytest.raises(ConfigurationError, match="k is 5; the target 't' has 4 sources"):
        TopKWeighting(5).weigh(ROW)
    with pytest.raises(ConfigurationError, match="'a' is in two of them, 'x' and 'y'"):
        GroupWeighting({"x": ["a"], "y": ["a"]})
    path = tmp_path / "groups.json"
    for content in ("{", "[]", "[" * 100_000, json.dumps({"x": "abc"}), json.dumps({"categories": {"x": [1]}})):
        path.write_text(content)
        with pytest.raises(ConfigurationError, match="categories: .*groups.json"):
            GroupWeighting(str(path))
    with pytest.raises(ConfigurationError, match="categories: .*nowhere"):
        GroupWeighting(str(tmp_path / "nowhere"))
