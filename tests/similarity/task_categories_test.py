"""Categories from files, and their correlation with routes."""

import json
import math
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.similarity import correlate, correlate_features, read_categories, read_features, task_categories

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(
    "content",
    [
        {"boolq": "qa", "rte": "other"},
        {"boolq": {"category": "qa", "metric": "ACC"}, "rte": {"category": "other"}},
        {"qa": ["boolq"], "other": ["rte"]},
        {"categories": {"qa": ["boolq"], "other": ["rte"]}, "more": ["sst2"]},
    ],
)
def test_categories_of_tasks(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    path.write_text(json.dumps(content))
    assert read_categories(path) == {"boolq": "qa", "rte": "other"}


def test_the_ontology() -> None:
    found = read_categories(DATA / "few_shot_gym.json")
    assert len(found) == 160 and sorted(set(found.values())) == [
        "classification",
        "conditional generation",
        "other",
        "qa",
    ]


@pytest.mark.parametrize(
    "content, message",
    [
        ({"boolq": 3}, "'boolq' has neither"),
        ({"boolq": {"metric": "ACC"}}, "'boolq' has neither"),
        ({"qa": [1]}, "'qa' has neither"),
        ({"categories": ["qa"]}, "'categories' has neither"),
        ({"qa": ["boolq"], "other": ["boolq"]}, "'boolq' is in two categories, 'qa' and 'other'"),
    ],
)
def test_files_that_have_none(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=f"categories.json: {message}"):
        read_categories(path)


@pytest.mark.parametrize(
    "content, wanted",
    [
        ({"short": ["boolq", "rte", "rte"], "two texts": ["rte"]}, {"short": ["boolq", "rte"], "two texts": ["rte"]}),
        (
            {"boolq": {"category": "qa", "kind": "binary", "n": 3}, "rte": {"kind": "binary"}},
            {"category: qa": ["boolq"], "kind: binary": ["boolq", "rte"]},
        ),
        ({"boolq": "qa", "rte": "qa"}, {"qa": ["boolq", "rte"]}),
        ({"categories": {"qa": ["boolq"]}, "more": ["rte"]}, {"qa": ["boolq"]}),
        ({"categories": ["boolq"]}, {"categories": ["boolq"]}),
    ],
)
def test_features_of_which_a_task_has_several(content: Any, wanted: Any, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps(content))
    assert read_features(path) == wanted


def test_features_in_the_ontology() -> None:
    found = read_features(DATA / "few_shot_gym.json")
    assert len(found["category: qa"]) == 51 and "xsum" in found["kind: summarization"]


@pytest.mark.parametrize("content", [{"qa": [1]}, {"qa": {"n": 3}}, {"qa": 3}, {"qa": []}])
def test_files_without_features(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match="features.json: 'qa' has neither features nor a list of tasks"):
        read_features(path)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_each_feature_is_correlated_for_itself(seed: int) -> None:
    """Of a task with several, each counts; what all or no tasks have goes with nothing."""
    generator = np.random.default_rng(seed)
    weights, has = generator.random((5, 3)), generator.random((5, 4)) < 0.5
    has[:2, 0] = [True, False]  # One at least differs.
    found = correlate_features(weights, has)
    for feature, values in enumerate(has.T):
        if 0 < values.sum() < 5:
            assert np.allclose(found.r[:, feature], [np.corrcoef(of, values)[0, 1] for of in weights.T])
            assert ((found.p[:, feature] >= 1 / 120) & (found.p[:, feature] <= 1)).all()
        else:
            assert np.isnan([found.r[:, feature], found.p[:, feature]]).all()


def test_correlations_by_hand() -> None:
    # The first expert is that of `qa` exactly; the second has nothing to do with categories; the third is constant.
    weights = np.array([[1.0, 1, 0.5], [1, 0, 0.5], [0, 1, 0.5], [0, 0, 0.5], [9, 9, 9]])
    found = correlate(weights, ["qa", "qa", "other", "other", ""])
    assert found.categories == ["other", "qa"] and found.tasks == 4
    assert np.allclose(found.r[:2], [[-1, 1], [0, 0]]) and np.isnan(found.r[2]).all() and np.isnan(found.p[2]).all()
    # Half of the variance is the first expert's. Of the 6 ways to make two pairs, 2 and again 2 separate one expert.
    assert found.explained == pytest.approx(0.5) and found.explained_p == pytest.approx(4 / 6)
    assert np.allclose(found.p[:2], [[4 / 6, 4 / 6], [1, 1]])


def test_against_definitions() -> None:
    generator = np.random.default_rng(3)
    weights = generator.random((6, 4))
    categories = ["a", "b", "a", "c", "b", "c"]
    found = correlate(weights, categories)
    for place, name in enumerate(found.categories):
        within = np.array([category == name for category in categories])
        r = [np.corrcoef(weights[:, expert], within)[0, 1] for expert in range(4)]
        assert np.allclose(found.r[:, place], r)
    # All 720 permutations.
    largest = []
    for order in permutations(range(6)):
        indicators = [[categories[row] == name for row in order] for name in found.categories]
        largest.append(np.abs(np.corrcoef(weights.T, np.array(indicators, dtype=float))[:4, 4:]).max())
    assert len(largest) == math.factorial(6)
    assert found.p[1, 2] == pytest.approx(np.mean(np.array(largest) >= abs(found.r[1, 2]) - 1e-9))


def test_many_tasks_are_sampled_and_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_categories, "_PERMUTATIONS", 499)
    generator = np.random.default_rng(3)
    categories = ["a", "b", "c"] * 10
    weights = generator.random((30, 6))
    found, again = (correlate(weights, categories) for _ in range(2))
    assert (found.p == again.p).all() and found.explained_p == again.explained_p > 0.01
    clear = correlate(weights + np.array([category == "a" for category in categories])[:, None], categories)
    assert clear.explained_p == pytest.approx(1 / 500)


@pytest.mark.parametrize(
    "weights, categories, message",
    [
        (np.eye(3), ["qa", "qa", ""], "the tasks are in 1 categories"),
        (np.ones((3, 2)), ["qa", "qa", "other"], "the same routes"),
    ],
)
def test_nothing_to_correlate(weights: np.ndarray, categories: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        correlate(weights, categories)


def test_features_that_say_nothing() -> None:
    with pytest.raises(ValueError, match="the same features"):
        correlate_features(np.eye(3), np.ones((3, 2), dtype=bool))
