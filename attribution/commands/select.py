"""
`allennlp select`: the few members of a zoo (checkpoints, deltas, experts) that stand for it.
"""

from pathlib import Path
from typing import List, Optional

from allennlp.commands.subcommand import Subcommand

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import write_json
from attribution.common.rows import local_file
from attribution.selection import TOLERANCE, CheckpointSelector, read_covariance

SELECTED = "selected.json"


class Select(ArtefactJob):
    """
    The configuration of `allennlp select`.

    # Parameters

    covariance : `str`
        How alike the members are: a `.npy` of shape (members, members), or the `.npz` of a similarity matrix. See
        `Covariance` for what holds of it.
    selector : `CheckpointSelector`
    k : `int`
        So many are chosen.
    names : `str`, optional
        A text file with the name of each row, one a line. A similarity matrix has them itself.
    part : `int`, optional
        Of similarities by block or layer, take those of this one (from 0). By default they are averaged.
    tolerance : `float`, optional (default = `0.001`)
        A covariance with eigenvalues from minus this on is made positive definite; below, it is an error.
    normalize : `bool`, optional (default = `False`)
        Take the mean of both directions of each pair and divide by the roots of the diagonal: for similarities of
        deltas that are sums, or were measured on the target's examples.
    """

    def __init__(
        self,
        covariance: str,
        selector: CheckpointSelector,
        k: int,
        names: Optional[str] = None,
        part: Optional[int] = None,
        tolerance: float = TOLERANCE,
        normalize: bool = False,
    ) -> None:
        self.covariance = local_file(covariance, "covariance's .npy or .npz")
        self.selector = selector
        self.k = k
        self.names = local_file(names, "text ") if names is not None else None
        self.part = part
        self.tolerance = tolerance
        self.normalize = normalize

    def inputs(self) -> List[Path]:
        """The covariance, the names and what the selector reads."""
        return [self.covariance, *([self.names] if self.names else []), *self.selector.inputs()]

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `selected.json`: the names, the rows, and the mutual information with the rest after each."""
        covariance = read_covariance(self.covariance, self.names, self.part, self.tolerance, self.normalize)
        selection = self.selector.select(covariance, self.k)
        write_json(directory / SELECTED, selection._asdict())
        lines = [f"{self.k} of {len(covariance)}, with the mutual information (nats) of those so far with the rest"]
        lines += [f"  {name} {nats:.4f}" for name, nats in zip(selection.names, selection.information)]
        if covariance.repaired is not None:
            lines.append(f"made positive definite: the smallest eigenvalue was {covariance.repaired:.3g}")
        return "\n".join(lines)


@Subcommand.register("select")
class SelectCommand(ArtefactCommand):
    """
    Chooses the members of a zoo that stand for it: `allennlp select CONFIG -s DIR` writes `DIR/selected.json`
    (`names` in the order of choice, `indices`, `information`) and prints the names.

    Registered as a `Subcommand` with name "select".
    """

    job = Select
    summary = "Choose the checkpoints, deltas or experts that stand for all, by how alike they are."
