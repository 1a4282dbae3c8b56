"""Routes on disk, and how alike they make tasks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity import SimilarityMatrix, TaskRoutes, routes_of_model
from tests.models.conftest import make_model

WEIGHTS = np.array([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]], [[0.6, 0.4], [0.5, 0.5]]])
ROUTES = TaskRoutes(["birds", "boats", "lakes"], ["encoder.0", "decoder.0"], WEIGHTS, ["qa", "", "other"])


def test_saved_and_loaded(tmp_path: Path) -> None:
    ROUTES.save(tmp_path / "routes.npz")
    again = TaskRoutes.load(tmp_path / "routes.npz")
    assert (again.tasks, again.layers, again.categories) == (ROUTES.tasks, ROUTES.layers, ROUTES.categories)
    assert np.array_equal(again.weights, WEIGHTS)
    lines = (tmp_path / "routes.tsv").read_text().splitlines()
    assert lines[0].split("\t")[:4] == ["task", "category", "encoder.0 expert 0", "encoder.0 expert 1"]
    assert lines[3].split("\t") == ["lakes", "other", "0.6", "0.4", "0.5", "0.5"]


def test_tasks_by_category_and_those_without_last() -> None:
    assert ROUTES.order() == [2, 0, 1]
    assert TaskRoutes(ROUTES.tasks, ROUTES.layers, WEIGHTS).order() == [0, 1, 2]


def test_similarity_is_the_share_of_layers_with_the_same_expert_or_a_cosine() -> None:
    matrix = ROUTES.similarity()
    mean = matrix.scores.mean(2)
    assert mean[0, 1] == 0.5 and np.allclose(np.diag(mean), 1)
    # (0.6 / sqrt(0.52) + 1 / sqrt(2)) / 2
    assert mean[1, 2] == pytest.approx(0.7695790)
    assert matrix.parts == ROUTES.layers and np.linalg.eigvalsh(mean).min() > -1e-12


def test_what_is_no_file_of_routes(tmp_path: Path) -> None:
    SimilarityMatrix(["a"], ["a"], np.ones((1, 1)), True, "model").save(tmp_path / "matrix.npz")
    np.savez(tmp_path / "wrong.npz", tasks=["a"], layers=["b"], categories=[], weights=np.ones((2, 1, 3)))
    whole: Dict[str, Any] = {"tasks": ["a"], "layers": ["b"], "categories": ["c"], "weights": np.ones((1, 1, 3))}
    np.savez(tmp_path / "whole.npz", **whole)
    assert TaskRoutes.load(tmp_path / "whole.npz").categories == ["c"]
    damaged = {
        "nothing": whole["weights"][..., :0],
        "infinite": np.full((1, 1, 3), np.inf),
        "true": np.ones((1, 1, 3), bool),
    }
    for name, weights in damaged.items():
        np.savez(tmp_path / f"{name}.npz", **{**whole, "weights": weights})
    np.savez(tmp_path / "categories.npz", **{**whole, "categories": [1.5]})
    for name in ("matrix", "wrong", "missing", "categories", *damaged):
        with pytest.raises(ConfigurationError, match=f"{name}.npz: not routes"):
            TaskRoutes.load(tmp_path / f"{name}.npz")


def _model(folder: str, **settings: Any) -> Any:
    vectors: Dict[str, Any] = {"type": "learned", "tasks": ["birds", "boats"], "size": 4}
    router = {"type": "linear", "hidden_size": 4}
    return make_model(folder, **{"type": "task_moe_seq2seq", "task_vectors": vectors, "router": router, **settings})


def test_routes_of_a_model(tiny_model: Any) -> None:
    model = _model(tiny_model("t5"), selector={"type": "straight_through", "disabled": [[1, 2]]})
    routes = routes_of_model(model)
    assert routes.tasks == ["birds", "boats"] and routes.weights.shape == (2, 4, 3)
    assert routes.layers == ["encoder.block.0", "encoder.block.1", "decoder.block.0", "decoder.block.1"]
    assert set(np.unique(routes.weights)) == {0.0, 1.0}
    soft = routes_of_model(model, ["boats"], temperature=1.0).weights
    assert np.allclose(soft.sum(2), 1) and (soft > 0).sum() == 11 and soft[0, 1, 2] == 0
    assert (soft[0].argmax(1) == routes.weights[1].argmax(1)).all()
    sharp = routes_of_model(model, ["boats"], temperature=1e-4).weights
    assert np.allclose(sharp[0], routes.weights[1], atol=1e-3)


@pytest.mark.parametrize(
    "settings, arguments, message",
    [
        ({"selector": {"type": "uniform"}}, {}, "has no table of tasks; say which ones"),
        ({"selector": {"type": "uniform"}}, {"tasks": ["a", "a"]}, "a name is there twice"),
        ({"selector": {"type": "uniform"}}, {"tasks": ["a"], "temperature": 1.0}, "of a model with a router"),
        ({"selector": {"type": "instance_random"}}, {"tasks": ["a"]}, "are those of examples"),
        ({}, {"tasks": ["lakes"]}, "'lakes' is not in the task table"),
        ({}, {"temperature": 0.0}, "temperature is 0.0; above 0"),
    ],
)
def test_no_routes(settings: Any, arguments: Any, message: str, tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        routes_of_model(_model(tiny_model("t5"), **settings), **arguments)


def test_another_model() -> None:
    with pytest.raises(ConfigurationError, match="a SimpleNamespace has no routes"):
        routes_of_model(SimpleNamespace())
