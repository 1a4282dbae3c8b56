"""
`allennlp compare-covariances`: how fast a covariance converges with the size of the probe.
"""

from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.delta_folders import delta_folders, matching
from attribution.common.engines import Engine
from attribution.common.figures import save_figure
from attribution.common.manifest import write_json
from attribution.common.rows import local_file
from attribution.reports.covariances import COMPARISONS, convergence_curve
from attribution.selection import TOLERANCE, Covariance, correlation, kl_divergence, read_covariance

MATRIX = "similarity.npz"


class Comparison(NamedTuple):
    """Of the reference and another."""

    kl: float
    """In nats, of the reference from the other."""
    correlation: float
    repaired: Optional[float]
    """The other's smallest eigenvalue, if it had to be raised."""


class CovarianceComparison(ArtefactJob):
    """
    The configuration of `allennlp compare-covariances`.

    # Parameters

    covariance : `str`
        What the others are compared with, that of the whole probe: the `.npz` of a similarity matrix, or a `.npy`.
    others : `str`
        A pattern of folders of `allennlp similarity`, as `kappa/MAX_ROWS=*`, or of `.npy` files, as `kappa.*.npy`. What
        stands for the asterisk is the name; if all are numbers it is the size of the probe, and the curve over it is
        drawn.
    names : `str`, optional
        A text file with the name of each row of every `.npy`, one a line. Similarity matrices have them themselves, and
        may have the same members in another order.
    tolerance : `float`, optional (default = `0.001`)
        A covariance with eigenvalues from minus this on is made positive definite; below, it is an error.
    """

    def __init__(self, covariance: str, others: str, names: Optional[str] = None, tolerance: float = TOLERANCE) -> None:
        self.covariance = local_file(covariance, "covariance's .npy or .npz")
        self.others = _matrices(others)
        self.are_sizes = all(name.isdecimal() for name in self.others)
        if self.are_sizes:
            self.others = dict(sorted(self.others.items(), key=lambda item: int(item[0])))
        self.names = local_file(names, "text ") if names is not None else None
        if self.names and all(path.suffix == ".npz" for path in (self.covariance, *self.others.values())):
            raise ConfigurationError(f"names: {names} is for .npy files, and there are none; matrices have their own")
        self.tolerance = tolerance

    def inputs(self) -> List[Path]:
        return [self.covariance, *([self.names] if self.names else []), *self.others.values()]

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `comparisons.json` and, of sizes, `convergence.png` and `.svg`."""
        whole = self._read(self.covariance)
        found = {name: _compare(whole, self._read(path), path) for name, path in self.others.items()}
        isotropic = _compare(whole, Covariance(whole.names, np.eye(len(whole))), self.covariance)
        others = {name: each._asdict() for name, each in found.items()}
        write_json(directory / COMPARISONS, {"others": others, "isotropic": isotropic._asdict()})
        if self.are_sizes:
            sizes, nats = [int(name) for name in found], [each.kl for each in found.values()]
            for ending in ("png", "svg"):
                save_figure(convergence_curve(sizes, nats, isotropic.kl), directory / f"convergence.{ending}")
        lines = [
            f"{name}: KL {each.kl:.4f} nats, correlation {each.correlation:.4f}"
            + ("" if each.repaired is None else f", its smallest eigenvalue {each.repaired:.1e} raised")
            for name, each in found.items()
        ]
        return "\n  ".join([f"{len(found)} compared; with independent members KL is {isotropic.kl:.4f}", *lines])

    def _read(self, path: Path) -> Covariance:
        return read_covariance(path, self.names if path.suffix == ".npy" else None, tolerance=self.tolerance)


def _matrices(pattern: str) -> Dict[str, Path]:
    if not pattern.endswith(".npy"):
        return {name: local_file(folder / MATRIX) for name, folder in delta_folders(pattern, "others").items()}
    files = matching(pattern, Path.is_file)
    if not files:
        raise ConfigurationError(f"others: no file matches {pattern}")
    return files


def _compare(whole: Covariance, other: Covariance, path: Path) -> Comparison:
    try:
        return Comparison(kl_divergence(whole, other), correlation(whole, other), other.repaired)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error


@Subcommand.register("compare-covariances")
class CompareCovariances(ArtefactCommand):
    """
    Compares covariances with one: `allennlp compare-covariances CONFIG -s DIR`, by the KL divergence of their Gaussians
    and by correlation, as Huang et al. (NeurIPS 2021, figure 2) do over sizes of the probe.

    Registered as a `Subcommand` with name "compare-covariances".
    """

    job = CovarianceComparison
    summary = "Compare covariances, those of smaller probes say, with one."
