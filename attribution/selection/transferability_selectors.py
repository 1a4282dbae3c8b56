"""Members by how well their features suit one labelled task."""

from abc import abstractmethod
from pathlib import Path
from typing import List

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_array
from attribution.common.delta_folders import delta_folders
from attribution.common.rows import local_file
from attribution.encoders import Vectors
from attribution.selection.baseline_selectors import highest
from attribution.selection.checkpoint_selector import CheckpointSelector
from attribution.selection.covariance import Covariance
from attribution.selection.transferability import h_score, log_me


class TransferabilitySelector(CheckpointSelector):
    """
    Base of the rankings by an estimate of how well a linear layer on a member's features would do on a labelled task.

    # Parameters

    features : `str`
        A folder with each member's features of the task's rows, at its name: NAME.npy of shape (rows, width), or what
        `allennlp embed -s` wrote; or a pattern of such folders, `words/CHECKPOINT=*`, of which the asterisk is the
        name.
    labels : `str`
        A .npy with the rows' labels: whole numbers are classes.
    """

    def __init__(self, features: str, labels: str) -> None:
        self.folder = Path(features)
        self.members = delta_folders(features, "features") if "*" in features else {}
        if not self.members and not self.folder.is_dir():
            raise ConfigurationError(f"features: there is no folder {features}")
        self.labels = local_file(labels, ".npy ")

    @abstractmethod
    def score(self, features: np.ndarray, labels: np.ndarray) -> float:
        """Higher is better. Shapes: (rows, width), (rows,)"""

    def pick(self, covariance: Covariance, k: int) -> List[int]:
        labels = read_array(self.labels, "an .npy of labels")
        return highest(np.array([self._score(name, labels) for name in covariance.names]), k)

    def inputs(self) -> List[Path]:
        folders = self.members.values() or [self.folder]
        return [self.labels, *(path for folder in folders for path in sorted(folder.rglob("*.npy")))]

    def _score(self, name: str, labels: np.ndarray) -> float:
        path = self.folder / f"{name}.npy"
        stored = self.members.get(name, self.folder / name)
        try:
            if path.is_file() or not stored.is_dir():
                return self.score(read_array(path, "an .npy of features"), labels)
            return self.score(np.concatenate(list(Vectors(stored).blocks())).astype(np.float32), labels)
        except ConfigurationError as error:
            raise ConfigurationError(f"features of {name!r}: {error.message}") from error


@CheckpointSelector.register("log_me")
class LogMeSelector(TransferabilitySelector):
    """
    Those whose features have the highest LogME (You et al., 2021, https://arxiv.org/abs/2102.11005).

    Registered as a `CheckpointSelector` with name "log_me".

    # Parameters

    features : `str`
        A folder with each member's features of the task's rows, at its name: NAME.npy of shape (rows, width), or what
        `allennlp embed -s` wrote; or a pattern of such folders, `words/CHECKPOINT=*`, of which the asterisk is the
        name.
    labels : `str`
        A .npy with the rows' labels: whole numbers are classes, others are what is regressed to.
    """

    def score(self, features: np.ndarray, labels: np.ndarray) -> float:
        return log_me(features, labels)


@CheckpointSelector.register("h_score")
class HScoreSelector(TransferabilitySelector):
    """
    Those whose features have the highest H-score (Bao et al., 2019, https://doi.org/10.1109/ICIP.2019.8803726).

    Registered as a `CheckpointSelector` with name "h_score".

    # Parameters

    features : `str`
        A folder with each member's features of the task's rows, at its name: NAME.npy of shape (rows, width), or what
        `allennlp embed -s` wrote; or a pattern of such folders, `words/CHECKPOINT=*`, of which the asterisk is the
        name.
    labels : `str`
        A .npy with the rows' classes, whole numbers.
    """

    def score(self, features: np.ndarray, labels: np.ndarray) -> float:
        return h_score(features, labels)
