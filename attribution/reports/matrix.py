"""Similarity matrices in a report."""

from pathlib import Path
from typing import Iterator, List

import numpy as np

from attribution.reports.blocks import Block, Cell, Number, Plot, Table
from attribution.reports.plots import cluster, heat_map, small_heat_maps
from attribution.reports.report_section import ReportSection
from attribution.similarity import SimilarityMatrix

SIMILARITY = "similarity.npz"
ACCURACY = "accuracy.json"

_MOST_PARTS = 72


@ReportSection.register("similarity")
class SimilaritySection(ReportSection):
    """
    What `allennlp similarity` writes, or any `.npz` of a similarity matrix: heat maps, and of a square one a dendrogram
    and the order that follows from it.

    Registered as a `ReportSection` with name "similarity".
    """

    needs = f"{SIMILARITY}, or a similarity matrix's .npz"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        if path.is_file():
            return path.suffix == ".npz"
        return (path / SIMILARITY).is_file() and not (path / ACCURACY).is_file()  # With both it is an `AgentsSection`.

    def inputs(self) -> List[Path]:
        return [self.path if self.path.is_file() else self.path / SIMILARITY]

    def blocks(self) -> Iterator[Block]:
        matrix = SimilarityMatrix.load(self.inputs()[0])
        sign = "higher" if matrix.higher_is_better else "lower"
        return matrix_blocks(matrix, "score", f"{sign} is closer. From {self.path}.", self.linkage)


def matrix_blocks(matrix: SimilarityMatrix, label: str, about: str, linkage: str) -> Iterator[Block]:
    """
    # Parameters

    label : `str`
        What the scores are.
    about : `str`
        What else there is to say of them, and where they are from.
    linkage : `str`
        Of the dendrogram.
    """
    parts = matrix.scores.reshape(*matrix.scores.shape[:2], -1)
    finite = np.isfinite(parts).all(2)
    parts = np.where(finite[:, :, None], parts, np.nan)
    values = parts.mean(2)
    mean = f", the mean of {parts.shape[2]} parts ({matrix.granularity})" if len(matrix.parts) else ""
    of = f"A row for each target, a column for each source; {label}{mean}; {about}"
    if not finite.all():
        yield f"{(~finite).sum()} of {finite.size} scores are no numbers: dashes in tables, and blank in plots."
    if not finite.any():
        return
    yield Plot("Heat map", of, heat_map(matrix.targets, matrix.sources, values, label))
    if sorted(matrix.targets) == sorted(matrix.sources) and len(matrix.targets) > 2:
        rows_of_sources = [matrix.targets.index(source) for source in matrix.sources]
        yield _clustered(
            matrix.sources, values[rows_of_sources], finite[rows_of_sources], matrix.higher_is_better, label, linkage
        )
    if 1 < len(matrix.parts) <= _MOST_PARTS:
        caption = f"The same for each part, rows and columns as above, on one scale; {about}"
        yield Plot("By part", caption, small_heat_maps(matrix.parts, parts, label))
    rows: List[List[Cell]] = [[target, *map(Number, row)] for target, row in zip(matrix.targets, values.tolist())]
    yield Table("Scores", of, ["target", *matrix.sources], rows, folded=len(rows) * len(matrix.sources) > 100)


def _clustered(
    names: List[str], values: np.ndarray, finite: np.ndarray, higher_is_better: bool, label: str, linkage: str
) -> Block:
    if not (finite | np.eye(len(values), dtype=bool)).all():
        return "There is no dendrogram: some scores of two different members are missing."
    tree, order = cluster(values, higher_is_better, linkage)
    best = f"the highest {label} minus their own" if higher_is_better else f"their {label} minus the lowest"
    caption = (
        f"The same in the order of the dendrogram: {linkage} linkage, where the distance of two is {best}, the mean of "
        "both directions."
    )
    figure = heat_map(names, names, values, label, order=order, tree=tree)
    return Plot("Dendrogram", caption, figure)
