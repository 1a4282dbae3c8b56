"""A matrix of targets and sources as a picture."""

from pathlib import Path
from typing import Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError


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
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigurationError("heat maps need matplotlib: install the extra `plots`") from error

    with matplotlib.rc_context({"svg.hashsalt": "attribution", "svg.fonttype": "none"}):
        cell = 0.24
        names = max(len(name) for name in [*targets, *sources]) * 0.075
        figure = Figure(
            figsize=(len(sources) * cell + names + 1.6, len(targets) * cell + names + 0.6), layout="constrained"
        )
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        image = axes.imshow(np.ma.masked_invalid(values), cmap="viridis", interpolation="nearest")
        axes.set_xticks(range(len(sources)), sources, rotation=90, fontsize=8)
        axes.set_yticks(range(len(targets)), targets, fontsize=8)
        axes.set_xlabel("source")
        axes.set_ylabel("target")
        axes.set_title(title, fontsize=10)
        figure.colorbar(image, ax=axes, shrink=0.8)
        figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
