from pathlib import Path

import numpy as np
import pytest

from attribution.reports.plots import COLOURS
from attribution.reports.route_map import colours_of, draw_route_map, film
from attribution.similarity import TaskRoutes
from tests.similarity.task_routes_test import ROUTES

pytest.importorskip("matplotlib")


def test_rows_by_category_and_columns_by_layer() -> None:
    drawn = draw_route_map(ROUTES)
    assert drawn.image.get_array().tolist() == [[0.6, 0.4, 0.5, 0.5], [1, 0, 0, 1], [1, 0, 1, 0]]
    bar = drawn.figure.axes[0]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["lakes", "birds", "boats"]
    assert [label.get_text() for label in drawn.axes.get_xticklabels()] == ["encoder.0", "decoder.0"]
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["other", "qa"]
    colours = bar.images[0].get_array()[:, 0, :3]
    assert len({tuple(row) for row in colours.tolist()}) == 3 and colours[2].tolist() == [1, 1, 1]


def test_without_categories() -> None:
    drawn = draw_route_map(TaskRoutes(ROUTES.tasks, ROUTES.layers, ROUTES.weights))
    assert not drawn.figure.legends and drawn.image.get_array().tolist() == ROUTES.flat.tolist()


def test_colours() -> None:
    assert colours_of(["a", "b"]) == {"a": COLOURS[0], "b": COLOURS[1]}
    assert len(set(colours_of([str(number) for number in range(20)]).values())) == 20


def test_a_film_has_a_frame_for_each_epoch(tmp_path: Path) -> None:
    from PIL import Image

    later = TaskRoutes(ROUTES.tasks, ROUTES.layers, 1 - ROUTES.weights, ROUTES.categories)
    film(tmp_path / "routes.gif", {0: ROUTES, 10: later})
    with Image.open(tmp_path / "routes.gif") as picture:
        frames = getattr(picture, "n_frames", 1)
        first = np.asarray(picture.convert("RGB"))
        picture.seek(1)
        assert frames == 2 and (first != np.asarray(picture.convert("RGB"))).any()
