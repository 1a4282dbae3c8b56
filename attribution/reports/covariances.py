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
        try:
            found = {str(name): _numbers(each) for name, each in content["others"].items()}
            isotropic = _numbers(content["isotropic"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigurationError(f"{path}: not what `allennlp compare-covariances` writes ({error!r})") from error
        divergence = "the KL divergence, in nats, from the Gaussian of the whole probe's covariance"
        if found and all(name.isdecimal() for name in found):
            sizes, nats = [int(name) for name in found], [kl for kl, _, _ in found.values()]
            caption = f"Over the size of the probe {divergence}. Independent: of the identity. From {self.path}."
            yield Plot("Convergence", caption, convergence_curve(sizes, nats, isotropic[0]))
        rows: List[List[Cell]] = [
            [name, Number(kl, form=".4f"), Number(correlation, form=".4f"), Number(repaired, form=".1e")]
            for name, (kl, correlation, repaired) in [*found.items(), ("independent members", isotropic)]
        ]
        caption = (
            f"Of each {divergence}, and the correlation with it. Raised: the smallest eigenvalue, where it was too low "
            f"for a covariance; the divergence is then as large as what it was raised to makes it. From {self.path}."
        )
        yield Table("Covariances", caption, ["covariance", "KL", "correlation", "raised"], rows)


def _numbers(comparison: Dict[str, Any]) -> List[float]:
    """The KL divergence, the correlation, and the eigenvalue that was raised, or NaN."""
    kl, correlation, repaired = comparison["kl"], comparison["correlation"], comparison.get("repaired")
    return [float(kl), float(correlation), np.nan if repaired is None else float(repaired)]


def convergence_curve(sizes: Sequence[int], nats: Sequence[float], isotropic: float) -> Any:
    """
    # Parameters

    sizes : `Sequence[int]`
        Of the probes, in rows or sentences.
    nats : `Sequence[float]`
        The KL divergence of each.
    isotropic : `float`
        That of independent members.
    """
    x = np.array(sizes)
    lines = [
        Curve("probes of this size", x, np.array(nats)),
        Curve("independent members", x, np.full(len(x), isotropic)),
    ]
    return curves({"": lines}, "size of the probe", "KL divergence in nats", log_x=True, log_y=True)
