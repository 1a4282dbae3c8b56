"""Ensembles in a report."""

from pathlib import Path
from typing import Any, Dict, Iterator, List

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import DASH, Block, Cell, Number, Plot, Table
from attribution.reports.plots import heat_map
from attribution.reports.report_section import ReportSection

WEIGHTS = "weights.json"


@ReportSection.register("ensemble")
class EnsembleSection(ReportSection):
    """
    What `allennlp ensemble` writes: how much each source counts for each target.

    Registered as a `ReportSection` with name "ensemble".
    """

    needs = f"TARGET/{WEIGHTS}"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return any(path.glob(f"*/{WEIGHTS}"))

    def inputs(self) -> List[Path]:
        return sorted(self.path.rglob(WEIGHTS))  # A target's name may have a slash in it.

    def blocks(self) -> Iterator[Block]:
        reports = [_read(path) for path in self.inputs()]
        targets = [str(report["target"]) for report in reports]
        sources = sorted({source for report in reports for source in report["weights"]})
        values = np.array(
            [[np.mean(report["weights"].get(source, np.nan)) for source in sources] for report in reports]
        )
        caption = (
            "A row for each target, a column for each source: its weight in the merge, of weights by part the mean. "
            f"{DASH}: it is no source there, as a target's own delta. From {self.path}."
        )
        if np.isfinite(values).any():
            yield Plot("Weights", caption, heat_map(targets, sources, values, "weight"))
        rows: List[List[Cell]] = [
            [target, Number(report["effective_sources"], form=".1f"), *map(Number, row)]
            for target, report, row in zip(targets, reports, values.tolist())
        ]
        caption = (
            f"The weights, and effective sources: as many with equal weights are as concentrated. From {self.path}."
        )
        yield Table(
            "Weights and effective sources",
            caption,
            ["target", "effective sources", *sources],
            rows,
            folded=len(rows) > 12,
        )


def _read(path: Path) -> Dict[str, Any]:
    report, _ = read_json_object(path)
    weights, effective = report.get("weights"), report.get("effective_sources")
    if "target" not in report or not isinstance(weights, dict) or not isinstance(effective, (int, float)):
        raise ConfigurationError(
            f"{path}: has no target, weights and effective_sources; make {path.parent.parent} anew"
        )
    return report
