"""How scores are spread, as a figure of matplotlib."""

from typing import Any, Mapping, Sequence

import numpy as np

from attribution.common.figures import new_figure
from attribution.reports.plots import COLOURS
from attribution.similarity.heat_map import CELL, names_length

_FEWEST = 5
_MOST_DOTS = 30

Scores = Sequence[np.ndarray]
"""At each position any number of scores."""


def is_spread(scores: Scores) -> bool:
    """Whether there is a violin to draw: at some position, enough scores that differ."""
    return any(_differ(there) for there in scores)


def violins(positions: Sequence[str], series: Mapping[str, Scores], x_label: str, y_label: str) -> Any:
    """
    At each position the scores of each series: a violin with its median where many differ, otherwise a mark at their
    mean. Marks of numbered positions are joined.

    # Parameters

    series : `Mapping[str, Scores]`
        By name.
    """
    wide = [label for label, scores in series.items() if is_spread(scores)]
    numbered = all(position.isdecimal() for position in positions)
    names = 0.0 if numbered else names_length(positions)
    legend = 0.2 * -(-len(series) // 3)
    figure = new_figure(max(5.5, len(positions) * max(CELL, 0.25 * len(wide)) + 1), 3.2 + names + legend)
    axes = figure.add_subplot()
    handles = {}
    for number, (label, scores) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        if label in wide:
            width = 0.8 / len(wide)
            shift = (wide.index(label) - (len(wide) - 1) / 2) * width
            handles[label] = _draw_violins(axes, scores, shift, width, colour)
        else:
            means = [there.mean() if len(there) else np.nan for there in scores]
            style = {"linestyle": "-" if numbered else "", "marker": "o", "markersize": 4, "zorder": 3}
            (handles[label],) = axes.plot(range(len(positions)), means, color=colour, **style)
    turned = {} if numbered else {"rotation": 90}
    axes.set_xticks(range(len(positions)), positions, fontsize=8, **turned)
    axes.tick_params(labelsize=8)
    axes.set_xlabel(x_label, fontsize=8)
    axes.set_ylabel(y_label, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=3, frameon=False, fontsize=8)
    return figure


def _draw_violins(axes: Any, scores: Scores, shift: float, width: float, colour: str) -> Any:
    """Returns what stands for them in a legend."""
    for place, there in enumerate(scores):
        if _differ(there):
            drawn = axes.violinplot([there], [place + shift], widths=width * 0.95, showextrema=False, showmedians=True)
            (body,) = drawn["bodies"]
            body.set(facecolor=colour, edgecolor="none", alpha=0.3)
            drawn["cmedians"].set(color=colour, linewidth=1.5)
        if not _differ(there) or len(there) <= _MOST_DOTS:
            axes.plot(np.full(len(there), place + shift), there, "o", markersize=2, color=colour)
    from matplotlib.patches import Patch

    return Patch(facecolor=colour, alpha=0.3)


def _differ(there: np.ndarray) -> bool:
    return len(np.unique(there.round(9))) >= _FEWEST
