"""How much each source has to do with each target: what all five systems measure, in one form."""

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Union
from zipfile import BadZipFile

import numpy as np
from allennlp.common.checks import ConfigurationError


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
        lines = [["", *self.sources]]
        lines += [[target, *map(repr, row)] for target, row in zip(self.targets, flat.tolist())]
        path.with_suffix(".tsv").write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")

    @classmethod
    def load(cls, path: Union[str, Path]) -> "SimilarityMatrix":
        """
        # Raises

        `ConfigurationError` if the file is not one that `save` wrote. Nothing in it is executed.
        """
        try:
            with np.load(path, allow_pickle=False) as saved:
                return cls(
                    saved["targets"].tolist(),
                    saved["sources"].tolist(),
                    saved["scores"],
                    bool(saved["higher_is_better"]),
                    str(saved["granularity"]),
                    saved["parts"].tolist() if "parts" in saved else (),
                )
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ConfigurationError(f"{path}: not a similarity matrix ({error})") from error
