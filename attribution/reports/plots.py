"""The plots of a report, as figures of matplotlib."""

from itertools import cycle
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from attribution.common.figures import new_figure
from attribution.reports.blocks import number_text
from attribution.similarity.heat_map import CELL, fill_heat_map, names_length

# Okabe and Ito's colours, which people who are colour-blind tell apart, without black and yellow.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
_DASHES = ("-", "--", ":", "-.")

_MOST_COLUMNS, _MOST_CELLS = 14, 200  # For numbers in the cells.


class Curve(NamedTuple):
    """A line with a band around it."""

    label: str
    x: np.ndarray
    y: np.ndarray
    low: Optional[np.ndarray] = None
    """The band's lower edge, NaN where there is none."""
    high: Optional[np.ndarray] = None
    """Its upper edge."""


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    label: str,
    centre: Optional[float] = None,
    order: Optional[np.ndarray] = None,
    tree: Optional[np.ndarray] = None,
    form: str = ".3f",
) -> Any:
    """
    A heat map with its colour bar, and with numbers where there are few; one that is missing has no colour.

    # Parameters

    label : `str`
        What the values are.
    centre : `float`, optional
        The value between two colours.
    order : `np.ndarray`, optional
        Of rows and columns.
    tree : `np.ndarray`, optional
        scipy's linkage of the columns, drawn above in that order.
    """
    if order is not None:
        rows, columns = [rows[place] for place in order], [columns[place] for place in order]
        values = values[np.ix_(order, order)]
    numbered = len(columns) <= _MOST_COLUMNS and values.size <= _MOST_CELLS
    width = max(len(columns) * (0.55 if numbered else CELL), 1.5)
    height = max(len(rows) * (0.32 if numbered else CELL), names_length([label]), 1.0)
    above = max(0.9, 0.15 * height) if tree is not None else 0.0
    figure = new_figure(width + names_length(rows) + 1.2, height + names_length(columns) + above + 0.4)
    grid = figure.add_gridspec(
        2 if tree is not None else 1,
        2,
        width_ratios=[width, 0.14],
        height_ratios=[above, height] if tree is not None else None,
    )
    axes = figure.add_subplot(grid[-1, 0])
    limits = None
    if centre is not None:
        reach = float(np.abs(values[np.isfinite(values)] - centre).max()) or 1.0
        limits = (centre - reach, centre + reach)
    colours = "viridis" if centre is None else "RdBu"
    image = fill_heat_map(axes, rows, columns, values, colours, limits, "auto")
    if numbered:
        _write_numbers(axes, image, values, form)
    bar = figure.colorbar(image, cax=figure.add_subplot(grid[-1, 1]))
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    if tree is not None:
        _draw_tree(figure.add_subplot(grid[0, 0]), tree, len(columns))
    return figure


def small_heat_maps(titles: Sequence[str], values: np.ndarray, label: str) -> Any:
    """One for each title on one scale, without names. Shape of the values: (rows, columns, titles)"""
    across = min(len(titles), 6)
    down = -(-len(titles) // across)
    height = 1.5 * min(max(values.shape[0] / values.shape[1], 0.3), 2.0)
    figure = new_figure(across * 1.5 + 0.9, down * (height + 0.3) + 0.2)
    panels = figure.subplots(down, across, squeeze=False)
    limits = (float(np.nanmin(values)), float(np.nanmax(values)))
    for place, axes in enumerate(panels.flat):
        if place >= len(titles):
            axes.set_axis_off()
            continue
        image = fill_heat_map(axes, [], [], values[:, :, place], limits=limits, aspect="auto")
        axes.set_title(titles[place], fontsize=7)
    bar = figure.colorbar(image, ax=panels, shrink=0.8)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def paired_bars(names: Sequence[str], series: Mapping[str, Sequence[float]], label: str) -> Any:
    """Two bars or so a name, the first name on top."""
    width = 0.8 / len(series)
    figure = new_figure(5.5 + names_length(names), 0.17 * len(names) * len(series) + 0.9)
    axes = figure.add_subplot()
    handles = []
    for number, (values, colour) in enumerate(zip(series.values(), COLOURS)):
        places = np.arange(len(names)) + (number - (len(series) - 1) / 2) * width
        handles.append(axes.barh(places, values, width, color=colour))
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel(label, fontsize=8)
    _clear(axes)
    figure.legend(handles, list(series), loc="outside upper left", ncols=len(series), frameon=False, fontsize=8)
    return figure


def curves(
    panels: Dict[str, List[Curve]],
    x_label: str,
    y_label: str,
    names: Sequence[str] = (),
    log_x: bool = False,
    log_y: bool = False,
) -> Any:
    """
    A small plot for each panel, whose lines have the same colours in all; `names` are those of the points. With `log_x`
    or `log_y` the distance of two is that of their logarithms, and what has none is not drawn.
    """
    across = min(len(panels), 4)
    down = -(-len(panels) // across)
    labels = list(dict.fromkeys(curve.label for lines in panels.values() for curve in lines))
    legend = len(labels) > 1
    size = (2.6, 2.0) if len(panels) > 1 else (5.5, 3.2)
    height = down * size[1] + 0.3 + (0.2 * -(-len(labels) // 3) if legend else 0)
    width = max(size[0], len(names) * CELL)
    figure = new_figure(across * width + 0.3, height + (names_length(names) if names else 0))
    styles = dict(zip(labels, zip(cycle(COLOURS), (dash for dash in cycle(_DASHES) for _ in COLOURS))))
    handles: Dict[str, Any] = {}
    grid = figure.subplots(down, across, squeeze=False)
    for axes, (title, lines) in zip(grid.flat, panels.items()):
        for curve in lines:
            colour, dash = styles[curve.label]
            handles[curve.label] = axes.plot(
                curve.x, curve.y, color=colour, linestyle=dash, marker="o", markersize=3, linewidth=1.4
            )[0]
            if curve.low is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.2, lw=0)
        axes.set_title(title, fontsize=8)
        axes.tick_params(labelsize=7)
        if names:
            axes.set_xticks(lines[0].x, names, rotation=90, fontsize=8)
        elif log_x:
            axes.set_xscale("log")
            axes.set_xticks(lines[0].x, [f"{value:,}" for value in lines[0].x])
            axes.set_xticks([], minor=True)
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
        if log_y:
            from matplotlib.ticker import LogFormatter

            axes.set_yscale("log", nonpositive="mask")
            axes.yaxis.set_major_formatter("{x:g}")  # By default these are formulas, which figures here show as texts.
            axes.yaxis.set_minor_formatter(LogFormatter())
            axes.tick_params(labelsize=7, which="minor")
        _clear(axes)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel(x_label, fontsize=8)
    figure.supylabel(y_label, fontsize=8)
    if legend:
        # matplotlib leaves out a label that begins with an underscore.
        texts = [f" {label}" if label.startswith("_") else label for label in handles]
        figure.legend(list(handles.values()), texts, loc="outside upper left", ncols=3, frameon=False, fontsize=8)
    return figure


def _write_numbers(axes: Any, image: Any, values: np.ndarray, form: str) -> None:
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.to_rgba(value)
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        # A page may give another colour to text that is black, as that on its own background is.
        colour = "black" if not np.isfinite(value) else "#fefefe" if dark else "#010101"
        text = number_text(float(value), form)
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)


def _draw_tree(axes: Any, tree: np.ndarray, leaves: int) -> None:
    from scipy.cluster.hierarchy import dendrogram

    found = dendrogram(tree, no_plot=True)
    for x, y in zip(found["icoord"], found["dcoord"]):
        axes.plot((np.array(x) - 5) / 10, y, color=COLOURS[0], linewidth=1)
    axes.set_xlim(-0.5, leaves - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_xticks([])
    axes.set_ylabel("distance", fontsize=7)
    axes.tick_params(labelsize=7)
    _clear(axes)


def _clear(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def cluster(scores: np.ndarray, higher_is_better: bool, linkage: str = "average") -> Tuple[np.ndarray, np.ndarray]:
    """
    A tree of the members of a square matrix of finite scores, as scipy has it, and the order of its leaves, in which
    neighbours are as close as the tree allows. The distance of two is how far the mean of their two scores is from the
    best score there is: the highest score minus it, or it minus the lowest where low is close. What a member scores
    with itself counts for that best score only; where it is missing (NaN), for nothing.

    # Parameters

    linkage : `str`, optional (default = `"average"`)
        `average` (UPGMA), or `ward`, by which Huang, Qiu and Church (NeurIPS 2021) draw checkpoints.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    both = (scores + scores.T) / 2
    distances = np.nanmax(scores) - both if higher_is_better else both - np.nanmin(scores)
    np.fill_diagonal(distances, 0)
    tree = hierarchy.linkage(squareform(distances, checks=False), linkage, optimal_ordering=True)
    return tree, hierarchy.leaves_list(tree)
