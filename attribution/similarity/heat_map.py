"""A matrix of targets and sources as a picture."""

from pathlib import Path
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from attribution.common.figures import new_figure, save_figure

CELL = 0.24
"""Inches, for a name of 8 points."""


def draw_heat_map(path: Path, targets: Sequence[str], sources: Sequence[str], values: np.ndarray, title: str) -> None:
    """
    Draws a row for each target and a column for each source: the same values, the same bytes.

    # Parameters

    path : `Path`
        `.png` or `.svg`.
    values : `np.ndarray`
        Those that are not numbers stay white. Shape: (targets, sources)

    # Raises

    `ConfigurationError` if matplotlib is not installed.
    """
    names = names_length([*targets, *sources])
    figure = new_figure(len(sources) * CELL + names + 1.6, len(targets) * CELL + names + 0.6)
    axes = figure.add_subplot()
    image = fill_heat_map(axes, targets, sources, values)
    axes.set_xlabel("source")
    axes.set_ylabel("target")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.8)
    save_figure(figure, path)


def fill_heat_map(
    axes: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    values: np.ndarray,
    colours: str = "viridis",
    limits: Optional[Tuple[float, float]] = None,
    aspect: str = "equal",
) -> Any:
    """Fills matplotlib's `axes`, all names beside it; returns the image, for a colour bar."""
    lowest, highest = limits or (None, None)
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=colours, interpolation="none", vmin=lowest, vmax=highest, aspect=aspect
    )
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    return image


def names_length(names: Sequence[str]) -> float:
    """Inches that the longest of these names takes in 8 points."""
    return max(len(name) for name in names) * 0.075
