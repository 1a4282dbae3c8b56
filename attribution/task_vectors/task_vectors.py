"""A vector for each task: what a router of experts reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_arrays, texts_of
from attribution.similarity import SimilarityMatrix


@dataclass(frozen=True)
class TaskVectors:
    """
    # Parameters

    names : `List[str]`
        The tasks, each once.
    vectors : `np.ndarray`
        float32. Shape: (tasks, dimension)

    # Raises

    `ConfigurationError` if a name is there twice, or a vector is not of finite numbers.
    """

    names: List[str]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or len(self.names) != len(self.vectors):
            raise ConfigurationError(f"task vectors of shape {self.vectors.shape} for {len(self.names)} tasks")
        twice = [name for name in dict.fromkeys(self.names) if self.names.count(name) > 1]
        if twice:
            raise ConfigurationError(f"task vectors: {twice[0]!r} is there twice")
        wrong = [name for name, vector in zip(self.names, self.vectors) if not np.isfinite(vector).all()]
        if wrong:
            raise ConfigurationError(f"task vectors: that of {wrong[0]!r} is not of finite numbers")

    def save(self, path: Path) -> None:
        """Writes `path` (.npz)."""
        np.savez(path, names=np.array(self.names, dtype=str), vectors=self.vectors)

    @classmethod
    def load(cls, path: Union[str, Path]) -> "TaskVectors":
        """
        # Raises

        `ConfigurationError` if the file is not one that `save` wrote. Nothing in it is executed.
        """
        what = "task vectors, which `allennlp embed-tasks` makes"
        saved = read_arrays(path, ("names", "vectors"), what)
        try:
            return cls(texts_of(saved["names"]), saved["vectors"].astype(np.float32))
        except ValueError as error:
            raise ConfigurationError(f"{path}: not {what} ({error})") from error

    def cosines(self) -> SimilarityMatrix:
        """How alike the tasks are. A task whose vector is 0 is like no other."""
        lengths = np.linalg.norm(self.vectors.astype(np.float64), axis=1, keepdims=True)
        directions = self.vectors / np.where(lengths > 0, lengths, 1)
        return SimilarityMatrix(self.names, self.names, directions @ directions.T, True, "task")


def principal_components(vectors: np.ndarray, dimension: int) -> np.ndarray:
    """
    The coordinates of vectors, less their mean, along the directions in which they vary most. Each direction points to
    where its largest coordinate is.

    Shape: (tasks, any) -> (tasks, dimension)

    # Raises

    `ConfigurationError` if `dimension` is not between 1 and the number of tasks less one: in more there is nothing.
    """
    most = len(vectors) - 1
    if not 1 <= dimension <= most:
        raise ConfigurationError(f"dimension is {dimension}; {len(vectors)} tasks have from 1 to {most}")
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    # Of many numbers for few tasks: the products of tasks say it all.
    variances, directions = np.linalg.eigh(centred @ centred.T)
    best = np.argsort(variances)[::-1][:dimension]
    found = directions[:, best] * np.sqrt(variances[best].clip(min=0))
    largest = found[np.abs(found).argmax(axis=0), np.arange(dimension)]
    return found * np.where(largest < 0, -1, 1)
