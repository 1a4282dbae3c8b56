"""How alike two sets of vectors of the same rows are."""

from pathlib import Path
from typing import Any, List, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import MANIFEST, first_difference
from attribution.encoders.vectors import Vectors
from attribution.similarity.linear_cka import linear_cka
from attribution.similarity.resident_model import ResidentModel
from attribution.similarity.target_task import TargetTask
from attribution.similarity.task_similarity import PartScores, Source, TaskSimilarity


@TaskSimilarity.register("kernel_alignment")
class KernelAlignment(TaskSimilarity):
    """
    Linear centred kernel alignment (Kornblith et al., 2019, https://arxiv.org/abs/1905.00414) of two models' vectors of
    the same rows. Sources and targets are folders of `allennlp embed`, of one file, by an encoder each. The vectors of
    two are in memory.

    Registered as a `TaskSimilarity` with name "kernel_alignment".
    """

    higher_is_better = True
    needs_examples = False
    own_folders = "targets"

    def __init__(self) -> None:
        super().__init__()

    def files(self, folder: Path) -> List[Path]:
        return [Vectors(folder).directory / MANIFEST]

    def reference(self, target: TargetTask, model: Optional[ResidentModel]) -> np.ndarray:
        assert target.folder is not None
        return _read(Vectors(target.folder))

    def compare(self, target: TargetTask, source: Source, model: Optional[ResidentModel], reference: Any) -> PartScores:
        assert target.folder is not None
        own, vectors = Vectors(target.folder), Vectors(source.folder)
        difference = first_difference(own.identity["pool"], vectors.identity["pool"])
        if difference:
            raise ConfigurationError(
                f"{target.folder} and {source.folder} have vectors of different rows ({difference}); embed one file "
                "with both encoders"
            )
        try:
            return {"model": float(linear_cka([reference, _read(vectors)])[0, 1])}
        except ConfigurationError as error:
            raise ConfigurationError(f"{target.folder} (0) and {source.folder} (1): {error}") from error


def _read(vectors: Vectors) -> np.ndarray:
    """Shape: (rows, dimension)"""
    return np.concatenate(list(vectors.blocks()))
