"""Covariances of ever larger probes in a report."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import Block, Cell, Number, Plot, Table
from attribution.reports.plots import Curve, curves
from attribution.reports.report_section import ReportSection

COMPARISONS = "comparisons.json"


@ReportSection.register("covariances")
class CovariancesSection(ReportSection):
    """
    What `allennlp compare-covariances` writes: how far covariances are from that of the whole probe, and the curve over
    the size of the probe (Huang, Qiu and Church, NeurIPS 2021, figure 2).

    Registered as a `ReportSection` with name "covariances".
    """

    needs = COMPARISONS

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / COMPARISONS).is_file()

    def inputs(self) -> List[Path]:
        return [self.path / COMPARISONS]

    def blocks(self) -> Iterator[Block]:
        path = self.path / COMPARISONS
        content, _ = read_json_object(path)
        kinds = ("kl", "correlation")
        try:
            found: Dict[str, List[float]] = {
                str(name): [float(each[kind]) for kind in kinds] for name, each in content["others"].items()
            }
            isotropic = [float(content["isotropic"][kind]) for kind in kinds]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"{path}: not what `allennlp compare-covariances` writes ({error!r})") from error
        divergence = "the KL divergence, in nats, from the Gaussian of the whole probe's covariance"
        if found and all(name.isdecimal() for name in found):
            figure = convergence_curve([int(name) for name in found], [kl for kl, _ in found.values()], isotropic[0])
            caption = f"Over the size of the probe {divergence}. Independent: of the identity. From {self.path}."
            yield Plot("Convergence", caption, figure)
        rows: List[List[Cell]] = [
            [name, *(Number(value, form=".4f") for value in values)]
            for name, values in [*found.items(), ("independent members", isotropic)]
        ]
        caption = f"Of each {divergence}, and the correlation with it. From {self.path}."
        yield Table("Covariances", caption, ["covariance", "KL", "correlation"], rows)


def convergence_curve(sizes: Sequence[int], nats: Sequence[float], isotropic: float) -> Any:
    """
    # Parameters

    sizes : `Sequence[int]`
        Of the probes, rows.
    nats : `Sequence[float]`
        The KL divergence of each.
    isotropic : `float`
        That of independent members.
    """
    x = np.array(sizes)
    lines = [
        Curve("probes of so many rows", x, np.array(nats)),
        Curve("independent members", x, np.full(len(x), isotropic)),
    ]
    return curves({"": lines}, "rows of the probe", "KL divergence in nats", log_x=True)
