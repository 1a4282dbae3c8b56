"""
`allennlp select`: the few members of a zoo (checkpoints, deltas, experts) that stand for it.
"""

from pathlib import Path
from typing import List, Optional
from zipfile import BadZipFile

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common.checks import ConfigurationError

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.artefacts import write_json
from attribution.common.engines import Engine
from attribution.common.rows import RowError, local_file
from attribution.common.text_lines import read_lines
from attribution.selection import TOLERANCE, CheckpointSelector, Covariance
from attribution.similarity import SimilarityMatrix

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
    """

    def __init__(
        self,
        covariance: str,
        selector: CheckpointSelector,
        k: int,
        names: Optional[str] = None,
        part: Optional[int] = None,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.covariance = local_file(covariance, ".npy or .npz ")
        self.is_matrix = covariance.endswith(".npz")
        self.selector = selector
        self.k = k
        self.names = local_file(names, "text ") if names is not None else None
        self.part = part
        self.tolerance = tolerance

    def inputs(self) -> List[Path]:
        """The covariance, the names and what the selector reads."""
        return [self.covariance, *([self.names] if self.names else []), *self.selector.inputs()]

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `selected.json`: the names, the rows, and the mutual information with the rest after each."""
        covariance = self._read()
        selection = self.selector.select(covariance, self.k)
        write_json(directory / SELECTED, selection._asdict())
        lines = [f"{self.k} of {len(covariance)}, with the mutual information (nats) of those so far with the rest"]
        lines += [f"  {name} {nats:.4f}" for name, nats in zip(selection.names, selection.information)]
        if covariance.repaired is not None:
            lines.append(f"made positive definite: the smallest eigenvalue was {covariance.repaired:.3g}")
        return "\n".join(lines)

    def _read(self) -> Covariance:
        names = _read_names(self.names) if self.names else None
        if self.is_matrix:
            matrix = SimilarityMatrix.load(self.covariance)
            own = own_names(matrix, self.covariance)
            if names is not None and names != own:
                raise ConfigurationError(f"names: {self.names} does not have the names of {self.covariance}: {own}")
            return Covariance(own, self._of_part(matrix), self.tolerance)
        if self.part is not None:
            raise ConfigurationError(f"part: {self.covariance} has none; a similarity matrix (.npz) may")
        if names is None:
            raise ConfigurationError("names: a .npy has no names; give a text file with one a line")
        return Covariance(names, _load_array(self.covariance), self.tolerance)

    def _of_part(self, matrix: SimilarityMatrix) -> np.ndarray:
        scores = matrix.scores.reshape(*matrix.scores.shape[:2], -1)
        if self.part is None:
            return scores.mean(2)
        if not 0 <= self.part < scores.shape[2]:
            raise ConfigurationError(f"part is {self.part}; {self.covariance} has {scores.shape[2]}, from 0")
        return scores[:, :, self.part]


def own_names(matrix: SimilarityMatrix, path: Path) -> List[str]:
    if matrix.targets != matrix.sources:
        raise ConfigurationError(f"covariance: {path} has other targets than sources; both must be the members")
    if not matrix.higher_is_better:
        raise ConfigurationError(f"covariance: {path} has distances or losses (a lower one is better), no covariance")
    return matrix.sources


def _load_array(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ConfigurationError(f"covariance: {path} is no .npy of numbers ({error})") from error
    if not isinstance(values, np.ndarray):
        raise ConfigurationError(f"covariance: {path} is an archive; name it .npz if it is a similarity matrix")
    return values


def _read_names(path: Path) -> List[str]:
    names: List[str] = []
    for line in read_lines(path):
        name = line.text.strip()
        if not name:
            raise RowError(line.where, "an empty line", "; one name a line is needed")
        if name in names:
            raise RowError(line.where, "a name that was there before", f": {name!r}")
        names.append(name)
    return names


@Subcommand.register("select")
class SelectCommand(ArtefactCommand):
    """
    Chooses the members of a zoo that stand for it: `allennlp select CONFIG -s DIR` writes `DIR/selected.json`
    (`names` in the order of choice, `indices`, `information`) and prints the names.

    Registered as a `Subcommand` with name "select".
    """

    job = Select
    summary = "Choose the checkpoints, deltas or experts that stand for all, by how alike they are."
