"""Scores of the published program for weight ensembling."""

from pathlib import Path
from typing import List, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.importers.importer import Importer
from attribution.similarity.result_tsv import ResultTsv, read_result_tsv
from attribution.similarity.similarity_matrix import SimilarityMatrix


@Importer.register("result_tsv")
class Scores(Importer):
    """
    `result.tsv` of a similarity (Lv et al., 2023), in either layout, or by block or layer a folder of such. It becomes
    `similarity.npz`, which is the `similarity` of `allennlp ensemble`, and `similarity.tsv`.

    Registered as an `Importer` with name "result_tsv".

    # Parameters

    path, higher_is_better, names, granularity
        Those of the measure `result_tsv`.
    """

    summary = "weight ensembling's result.tsv of a similarity -> similarity.npz"

    def __init__(
        self, path: str, higher_is_better: bool, names: Optional[List[str]] = None, granularity: str = "model"
    ) -> None:
        self.granularity = granularity
        self.names = names
        self.measure = ResultTsv(path, higher_is_better, names, granularity)
        if granularity == "model":
            super().__init__(path)

    def files(self) -> List[Path]:
        return list(self.measure.paths.values())

    def write(self, directory: Path) -> str:
        matrices = {
            part: read_result_tsv(path, self.measure.higher_is_better, self.names)
            for part, path in self.measure.paths.items()
        }
        first, *others = matrices.values()
        for path, other in zip(self.files()[1:], others):
            if (other.targets, other.sources) != (first.targets, first.sources):
                raise ConfigurationError(f"{path}: has other targets or sources than {self.files()[0]}")
        scores, parts = first.scores, []
        if self.granularity != "model":
            scores, parts = np.stack([matrix.scores for matrix in matrices.values()], axis=-1), list(matrices)
        whole = SimilarityMatrix(
            first.targets, first.sources, scores, self.measure.higher_is_better, self.granularity, parts
        )
        whole.save(directory / "similarity.npz")
        return f"similarity.npz, {len(whole.targets)} targets, {len(whole.sources)} sources"
