from pathlib import Path
from typing import List

import numpy as np
import pytest

from attribution.common.figures import save_figure
from attribution.reports.plots import Curve, cluster, curves, heat_map, paired_bars, small_heat_maps

pytest.importorskip("matplotlib")

NAMES = [f"{number}_a_rather_long_name_of_a_task" for number in range(34)]


def _text(figure: object, path: Path) -> str:
    save_figure(figure, path / "plot.svg")
    return (path / "plot.svg").read_text()


def test_all_34_names_are_inside_the_picture() -> None:
    figure = heat_map(NAMES, NAMES, np.random.default_rng(0).normal(size=(34, 34)), "score")
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    axes = figure.axes[0]
    for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        box = label.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, label
    assert not axes.texts  # No numbers in so many cells.


def test_numbers_where_there_are_few_and_dashes_where_there_are_none(tmp_path: Path) -> None:
    text = _text(heat_map(["a", "<b>"], ["c"], np.array([[0.25], [np.nan]]), "score"), tmp_path)
    assert ">0.250<" in text and ">–<" in text and ">&lt;b&gt;<" in text


def test_gains_have_their_centre_between_two_colours() -> None:
    figure = heat_map(["a"], ["b", "c"], np.array([[-5.0, 20.0]]), "gain", centre=0.0, form="+.1f")
    assert figure.axes[0].images[0].get_clim() == (-20, 20)


def test_clusters() -> None:
    scores = np.array([[9.0, 1.0, 8.0], [3.0, 9.0, 2.0], [6.0, 2.0, 9.0]])
    tree, order = cluster(scores, higher_is_better=True)
    # 0 and 2 score 7 in the mean, 9 - 7 = 2; 1 scores 2 with both.
    np.testing.assert_allclose(tree[:, 2], [2, 7])
    assert order.tolist()[1] != 1 and set(tree[0, :2]) == {0, 2}
    # Ward's third distance by Lance and Williams: squares 2 d^2 / 3 twice, less the pair's own third.
    tree, _ = cluster(scores, True, "ward")
    np.testing.assert_allclose(tree[:, 2], [2, ((2 * 49 + 2 * 49 - 4) / 3) ** 0.5])
    tree, _ = cluster(scores, higher_is_better=False)
    assert set(tree[0, :2]) == {0, 1} and tree[0, 2] == 1  # Both 1 above the lowest, 1: a draw, the first.


def test_small_maps_share_one_scale() -> None:
    values = np.arange(8.0).reshape(2, 2, 2)
    figure = small_heat_maps(["x", "y"], values, "score")
    assert [axes.images[0].get_clim() for axes in figure.axes[:2]] == [(0, 7), (0, 7)]


def test_names_that_begin_with_an_underscore_stay_in_the_legend() -> None:
    x = np.arange(2.0)
    lines = [Curve(name, x, x) for name in ("_hidden", "shown")]
    figure = curves({"t": lines}, "epoch", "loss")
    assert [text.get_text().strip() for text in figure.legends[0].texts] == ["_hidden", "shown"]


def test_many_lines_differ_in_colour_or_dash() -> None:
    x = np.arange(2.0)
    figure = curves({"t": [Curve(str(number), x, x) for number in range(20)]}, "epoch", "loss")
    assert len({(line.get_color(), line.get_linestyle()) for line in figure.axes[0].lines}) == 20


@pytest.mark.parametrize("y, labels", [([0.0, 0.01, 300.0], ["0.01", "100"]), ([0.2, 0.3, 0.4], ["2e−01", "3e−01"])])
def test_logarithms_have_numbers_at_their_ticks(y: List[float], labels: List[str], tmp_path: Path) -> None:
    """Where there is no power of ten, others have them. What has no logarithm is not drawn."""
    line = Curve("chosen", np.arange(1, 4), np.array(y))
    figure = curves({"": [line]}, "rows", "nats", log_x=True, log_y=True)
    text = _text(figure, tmp_path)
    assert "$" not in text and all(f">{label}<" in text for label in labels)
    assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_bars_stand_in_the_order_of_their_names(tmp_path: Path) -> None:
    figure = paired_bars(["a", "b"], {"rows": [60, 40], "pool": [10, 90]}, "percent")
    assert figure.axes[0].yaxis_inverted()
    assert [text.get_text() for text in figure.legends[0].texts] == ["rows", "pool"]
