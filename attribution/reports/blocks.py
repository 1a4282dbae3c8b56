"""What a section of a report is made of: paragraphs (texts), tables and plots."""

import math
from typing import Any, List, NamedTuple, Sequence, Union

DASH = "–"


class Number(NamedTuple):
    """A number in a table."""

    value: float
    """NaN where it is missing."""
    spread: float = math.nan
    """Its standard deviation, if any."""
    form: str = ".3f"
    best: bool = False

    def __str__(self) -> str:
        spread = "" if math.isnan(self.spread) else f" ± {number_text(self.spread, self.form.lstrip('+'))}"
        return number_text(self.value, self.form) + spread


Cell = Union[str, Number]


class Table(NamedTuple):
    """A table, which is on the page and beside it as `.csv`."""

    title: str
    caption: str
    """What it shows, in which unit, from where and from how many runs."""
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    summary: Sequence[Cell] = ()
    """A last row about the others."""
    folded: bool = False
    """Whether it opens on a click only: for long ones."""

    def csv_rows(self) -> List[List[str]]:
        """Header and rows with all digits; standard deviations are columns of their own."""
        rows = [*self.rows, *([self.summary] if self.summary else [])]
        spread = [any(_spread(row[place]) for row in rows) for place in range(len(self.header))]
        header = [
            text for name, wide in zip(self.header, spread) for text in ([name, f"{name}_std"] if wide else [name])
        ]
        return [header, *([text for cell, wide in zip(row, spread) for text in _csv(cell, wide)] for row in rows)]


class Plot(NamedTuple):
    """A plot, which is on the page and beside it as `.png` and `.svg`."""

    title: str
    caption: str
    figure: Any
    """A `matplotlib.figure.Figure`."""


Block = Union[str, Table, Plot]


def number_text(value: float, form: str = ".3f") -> str:
    """With the digits that `form` says, or three significant ones where those would hide the number."""
    if math.isnan(value):
        return DASH
    if form == ".3f" and value and not 0.001 <= abs(value) < 10000:
        return f"{value:.3g}"
    return f"{value:{form}}".replace("-", "−")


def plain(number: float) -> Number:
    """A count."""
    return Number(number, form=".0f")


def _spread(cell: Cell) -> bool:
    return isinstance(cell, Number) and not math.isnan(cell.spread)


def _csv(cell: Cell, wide: bool) -> List[str]:
    if isinstance(cell, str):
        return [cell, ""] if wide else [cell]
    values = [cell.value, cell.spread] if wide else [cell.value]
    return ["" if math.isnan(value) else f"{value:.0f}" if cell.form == ".0f" else repr(value) for value in values]
