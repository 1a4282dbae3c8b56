"""Selections in a report."""

from pathlib import Path
from typing import Iterator, List

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import Block, Cell, Number, Plot, Table, plain
from attribution.reports.plots import Curve, curves
from attribution.reports.report_section import ReportSection

SELECTED = "selected.json"


@ReportSection.register("selection")
class SelectionSection(ReportSection):
    """
    What `allennlp select` writes: the members in the order of choice, and how much each adds.

    Registered as a `ReportSection` with name "selection".
    """

    needs = SELECTED

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / SELECTED).is_file()

    def inputs(self) -> List[Path]:
        return [self.path / SELECTED]

    def blocks(self) -> Iterator[Block]:
        path = self.path / SELECTED
        selected, _ = read_json_object(path)
        try:
            names = [str(name) for name in selected["names"]]
            told = np.array([float(nats) for nats in selected["information"]])
            rows = [int(index) for index in selected["indices"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{path}: not what `allennlp select` writes ({error!r})") from error
        if not names or not len(names) == len(told) == len(rows):
            raise ConfigurationError(f"{path}: names, indices and information must be as many, and at least one")
        gains = np.diff(told, prepend=0)
        of = f"mutual information of those chosen so far with the rest, in nats. From {self.path}."
        curve = Curve("", np.arange(1, len(names) + 1), told, np.full(len(names), np.nan))
        yield Plot("Gain", f"The {of}", curves({"": [curve]}, "members chosen", "nats", names))
        cells: List[List[Cell]] = [
            [name, plain(row), Number(nats, form=".4f"), Number(gain, form="+.4f")]
            for name, row, nats, gain in zip(names, rows, told.tolist(), gains.tolist())
        ]
        caption = f"In the order of choice: the row in the covariance (from 0), the {of}"
        yield Table("Members", caption, ["name", "row", "information", "gain"], cells)
