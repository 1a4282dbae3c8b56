"""Covariances of members of a zoo, from files."""

from pathlib import Path
from typing import List, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_array
from attribution.common.rows import RowError
from attribution.common.text_lines import read_lines
from attribution.selection.covariance import TOLERANCE, Covariance
from attribution.similarity import SimilarityMatrix


def read_covariance(
    path: Path,
    names: Optional[Path] = None,
    part: Optional[int] = None,
    tolerance: float = TOLERANCE,
    normalize: bool = False,
) -> Covariance:
    """
    # Parameters

    path : `Path`
        A `.npy` of shape (members, members), or the `.npz` of a similarity matrix.
    names : `Path`, optional
        A text file with the name of each row, one a line. A similarity matrix has them itself.
    part : `int`, optional
        Of similarities by block or layer, those of this one (from 0). By default they are averaged.
    tolerance, normalize
        See `Covariance`.

    # Raises

    `ConfigurationError` if these are not the files of a covariance.
    """
    given = _read_names(names) if names else None
    if path.suffix == ".npz":
        matrix = SimilarityMatrix.load(path)
        own = own_names(matrix, path)
        if given is not None and given != own:
            raise ConfigurationError(f"names: {names} does not have the names of {path}: {own}")
        return Covariance(own, _of_part(matrix, path, part), tolerance, normalize)
    if part is not None:
        raise ConfigurationError(f"part: {path} has none; a similarity matrix (.npz) may")
    if given is None:
        raise ConfigurationError("names: a .npy has no names; give a text file with one a line")
    return Covariance(
        given, read_array(path, "the .npy of a covariance (a similarity matrix is named .npz)"), tolerance, normalize
    )


def own_names(matrix: SimilarityMatrix, path: Path) -> List[str]:
    """
    Of the members, which are both targets and sources.

    # Raises

    `ConfigurationError` if they are not, or the scores are distances.
    """
    if matrix.targets != matrix.sources:
        raise ConfigurationError(f"covariance: {path} has other targets than sources; both must be the members")
    if not matrix.higher_is_better:
        raise ConfigurationError(f"covariance: {path} has distances or losses (a lower one is better), no covariance")
    return matrix.sources


def _of_part(matrix: SimilarityMatrix, path: Path, part: Optional[int]) -> np.ndarray:
    scores = matrix.scores.reshape(*matrix.scores.shape[:2], -1)
    if part is None:
        return scores.mean(2)
    if not 0 <= part < scores.shape[2]:
        raise ConfigurationError(f"part is {part}; {path} has {scores.shape[2]}, from 0")
    return scores[:, :, part]


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
