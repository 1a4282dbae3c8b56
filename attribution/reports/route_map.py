"""Routes as a picture, and as a film over a training."""

from pathlib import Path
from typing import Any, Dict, NamedTuple, Sequence

import numpy as np

from attribution.common.figures import new_figure
from attribution.reports.plots import COLOURS
from attribution.similarity import TaskRoutes
from attribution.similarity.heat_map import CELL, fill_heat_map, names_length

_FRAMES_A_SECOND = 2


class RouteMap(NamedTuple):
    """A figure, and what changes in a film."""

    figure: Any
    """A `matplotlib.figure.Figure`."""
    axes: Any
    image: Any


def draw_route_map(routes: TaskRoutes) -> RouteMap:
    """
    A row for each task, in the order of categories, whose colours stand beside them; a column for each expert, with a
    line between layers.
    """
    order = routes.order()
    tasks, categories = (
        [values[row] for row in order] for values in (routes.tasks, routes.categories or [""] * len(order))
    )
    experts = routes.weights.shape[2]
    known = list(dict.fromkeys(category for category in categories if category))
    width, height = max(routes.flat.shape[1] * CELL, 1.5), max(len(tasks) * CELL, 1.0)
    beside = max(names_length([*tasks, "x"]), 0.5)
    below = names_length(routes.layers) + 0.25 * -(-len(known) // 3)
    figure = new_figure(width + beside + 1.4, height + below + 0.5)
    bar, axes = figure.subplots(1, 2, sharey=True, width_ratios=[0.14, width])
    image = fill_heat_map(axes, tasks, [], routes.flat[order], limits=(0.0, 1.0), aspect="auto")
    axes.set_xticks([(layer + 0.5) * experts - 0.5 for layer in range(len(routes.layers))], routes.layers, rotation=90)
    for layer in range(1, len(routes.layers)):
        axes.axvline(layer * experts - 0.5, color="white", linewidth=1)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", left=False, labelleft=False)
    bar.tick_params(axis="y", labelsize=8)
    _draw_categories(figure, bar, categories, colours_of(known))
    colour_bar = figure.colorbar(image, ax=axes)
    colour_bar.set_label("weight", fontsize=8)
    colour_bar.ax.tick_params(labelsize=8)
    return RouteMap(figure, axes, image)


def colours_of(categories: Sequence[str]) -> Dict[str, Any]:
    """A colour for each, which people who are colour-blind tell apart while there are few."""
    if len(categories) <= len(COLOURS):
        return dict(zip(categories, COLOURS))
    from matplotlib import colormaps

    return {category: colormaps["tab20"](number % 20) for number, category in enumerate(categories)}


def film(path: Path, epochs: Dict[int, TaskRoutes]) -> None:
    """Writes a GIF of the map, a frame an epoch. The tasks, and their order, are the same in all."""
    first = next(iter(epochs.values()))
    drawn = draw_route_map(first)
    from matplotlib.animation import PillowWriter

    writer = PillowWriter(fps=_FRAMES_A_SECOND)
    with writer.saving(drawn.figure, str(path), dpi=80):
        for epoch, routes in epochs.items():
            drawn.image.set_data(routes.flat[first.order()])
            drawn.axes.set_title(f"epoch {epoch}", fontsize=9)
            writer.grab_frame()


def _draw_categories(figure: Any, axes: Any, categories: Sequence[str], colours: Dict[str, Any]) -> None:
    """A cell in the colour of its category beside each row."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    cells = np.array([[to_rgba(colours.get(category, "white"))] for category in categories])
    axes.imshow(cells, aspect="auto", interpolation="none")
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    if colours:
        handles = [Patch(color=colour) for colour in colours.values()]
        figure.legend(handles, list(colours), loc="outside lower left", ncols=3, frameon=False, fontsize=8)
