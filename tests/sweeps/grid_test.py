from typing import Any

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.sweeps.grid import as_text, check_axes, grid_points, point_name


@pytest.mark.parametrize(
    "value, text",
    [
        (0.0005, "0.0005"),
        (1e-05, "0.00001"),
        (3e20, "300000000000000000000"),
        (0.1, "0.1"),
        (13, "13"),
        (True, "true"),
        ("5e-4", "5e-4"),
    ],
)
def test_texts_are_as_one_writes_them(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_all_combinations_in_order() -> None:
    points = grid_points({"TASK": ["boolq", "anli"], "SEED": [13, 42]})
    assert [(point["TASK"], point["SEED"]) for point in points] == [
        ("boolq", 13),
        ("boolq", 42),
        ("anli", 13),
        ("anli", 42),
    ]
    assert grid_points({}) == [{}]


def test_names_of_directories() -> None:
    point = {"MODEL": "google/t5 = a,b", "LR": 0.0005}
    assert point_name(point, ["MODEL", "LR"]) == "MODEL=google%2Ft5%20%3D%20a%2Cb,LR=0.0005"
    assert point_name(point, ["LR"]) == "LR=0.0005"
    assert point_name(point, []) == "all"
    with pytest.raises(ConfigurationError, match="too long for a directory's name"):
        point_name({"TEXT": "x" * 250}, ["TEXT"])


@pytest.mark.parametrize(
    "axes, message",
    [
        ({"LEARNING RATE": [1]}, "'LEARNING RATE' cannot name an environment variable"),
        (["SEED"], "axes: an object is needed"),
        ({"SEED": []}, "axes.SEED: a list of values is needed, with one at least"),
        ({"SEED": 13}, "axes.SEED: a list"),
        ({"SEED": "13"}, "axes.SEED: a list"),
        ({"SEED": [1, None]}, "axes.SEED: None is neither a text nor a number"),
        ({"SEED": [{"a": 1}]}, "is neither a text nor a number"),
        ({"SEED": [1, 2, "1"]}, "axes.SEED: 1 is there more than once"),
    ],
)
def test_axes_that_cannot_be(axes: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_axes(axes)
