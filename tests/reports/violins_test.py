import numpy as np
import pytest

from attribution.reports.violins import is_spread, violins

pytest.importorskip("matplotlib")

MANY = np.arange(40.0)


def test_many_different_scores_are_violins_and_others_marks() -> None:
    series = {"random": [MANY, MANY[:6], np.full(40, 3.0)], "chosen": [np.array([7.0, 9.0]), np.array([]), np.ones(1)]}
    figure = violins(["1", "2", "3"], series, "members", "accuracy")
    (axes,) = figure.axes
    assert sum(body.get_alpha() == 0.3 for body in axes.collections) == 2
    dots = [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    # Few scores, or equal ones, are dots; of the other series the means are a line.
    assert dots == [MANY[:6].tolist(), [3.0] * 40, pytest.approx([8, np.nan, 1], nan_ok=True)]
    assert axes.lines[-1].get_linestyle() == "-"
    assert [text.get_text() for text in figure.legends[0].texts] == ["random", "chosen"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3"]


def test_marks_of_names_are_not_joined_and_names_are_inside() -> None:
    names = ["a rather long name of a checkpoint", "b"]
    series = {"one": [MANY, MANY], "two": [MANY + 1, MANY], "three": [np.ones(1), np.ones(1)]}
    figure = violins(names, series, "", "score")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.lines[-1].get_linestyle() == "None"
    assert all(label.get_window_extent().y0 >= 0 for label in axes.get_xticklabels())
    # Violins of one position stand side by side.
    boxes = [
        body.get_paths()[0].get_extents() for body in axes.collections if body.get_paths()[0].vertices.shape[0] > 4
    ]
    assert boxes[0].x1 <= boxes[2].x0 or boxes[2].x1 <= boxes[0].x0


def test_when_there_is_something_to_draw() -> None:
    assert is_spread([np.ones(1), MANY])
    assert not is_spread([np.ones(50), MANY[:4], np.array([])])
    assert not is_spread([1 + np.arange(50) * 1e-15])  # The same up to rounding.
