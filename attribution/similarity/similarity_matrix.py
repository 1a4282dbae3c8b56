"""How much each source has to do with each target: what all five systems measure, in one form."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Sequence, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_arrays, texts_of
from attribution.common.tables import write_table


@dataclass(frozen=True)
class SimilarityMatrix:
    """
    # Parameters

    targets : `List[str]`
        The names of the rows.
    sources : `List[str]`
        The names of the columns.
    scores : `np.ndarray`
        float64. Shape: (targets, sources), or (targets, sources, parts) where they were measured part by part.
    higher_is_better : `bool`
        Whether a high score means that the source helps the target.
    granularity : `str`
        What was compared: `task`, `model`, `layer`, ...
    parts : `Sequence[str]`, optional (default = `()`)
        The parts' names, as they stand in the names of parameters: `encoder.block.0`, ...
    """

    targets: List[str]
    sources: List[str]
    scores: np.ndarray
    higher_is_better: bool
    granularity: str
    parts: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.scores.shape[:2] != (len(self.targets), len(self.sources)):
            raise ValueError(
                f"scores of shape {self.scores.shape} for {len(self.targets)} targets and {len(self.sources)} sources"
            )
        if self.parts and self.scores.shape[2:] != (len(self.parts),):
            raise ValueError(f"scores of shape {self.scores.shape} for {len(self.parts)} parts")

    def save(self, path: Path) -> None:
        """Writes `path` (.npz) and, for the eye, a .tsv beside it with the mean over the parts."""
        np.savez(
            path,
            targets=np.array(self.targets, dtype=str),
            sources=np.array(self.sources, dtype=str),
            scores=self.scores,
            higher_is_better=self.higher_is_better,
            granularity=self.granularity,
            **({"parts": np.array(self.parts, dtype=str)} if self.parts else {}),  # type: ignore[arg-type]
        )
        flat = self.scores.reshape(*self.scores.shape[:2], -1).mean(-1)
        rows = ([target, *map(repr, row)] for target, row in zip(self.targets, flat.tolist()))
        write_table(path.with_suffix(".tsv"), [["", *self.sources], *rows])

    @classmethod
    def load(cls, path: Union[str, Path]) -> "SimilarityMatrix":
        """
        # Raises

        `ConfigurationError` if the file is not one that `save` wrote. Nothing in it is executed.
        """
        what = "a similarity matrix"
        saved = read_arrays(path, ("targets", "sources", "scores", "higher_is_better", "granularity"), what, "parts")
        try:
            return cls(
                texts_of(saved["targets"]),
                texts_of(saved["sources"]),
                _numbers(saved["scores"]),
                _one(saved["higher_is_better"], "b"),
                _one(saved["granularity"], "U"),
                texts_of(saved["parts"]) if "parts" in saved else (),
            )
        except ValueError as error:
            raise ConfigurationError(f"{path}: not {what} ({error})") from error


def _numbers(scores: np.ndarray) -> np.ndarray:
    if scores.dtype.kind not in "fiu":
        raise ValueError(f"scores are {scores.dtype}, and real numbers are needed")
    return scores.astype(np.float64)


def _one(value: np.ndarray, kind: str) -> Any:
    if value.shape or value.dtype.kind != kind:
        wanted = {"b": "true or false", "U": "a text"}[kind]
        raise ValueError(f"{value.tolist()!r:.60} in the place of {wanted}")
    return value.item()
