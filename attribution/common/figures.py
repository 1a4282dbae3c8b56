"""Figures of matplotlib: the same values, the same bytes."""

from pathlib import Path
from typing import Any

from allennlp.common.checks import ConfigurationError

# Names are shown as they are, dollar signs too, and stay text that can be searched.
_SETTINGS: Any = {"svg.hashsalt": "attribution", "svg.fonttype": "none", "text.parse_math": False}
_NO_METADATA = {"svg": {"Creator": None, "Date": None, "Format": None, "Type": None}, "png": {"Software": None}}


def new_figure(width: float, height: float) -> Any:
    """
    An empty `matplotlib.figure.Figure` of so many inches.

    # Raises

    `ConfigurationError` if matplotlib is not installed.
    """
    try:
        from matplotlib import figure as figures
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    except ImportError as error:
        raise ConfigurationError("heat maps and plots need matplotlib: install the extra `plots`") from error
    figure = figures.Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path, transparent: bool = False) -> None:
    """Writes `path`, a `.png` or `.svg`."""
    import matplotlib
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(path, dpi=120, metadata=_NO_METADATA[path.suffix[1:]], transparent=transparent)
