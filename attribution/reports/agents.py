"""Comparisons of image agents in a report."""

from pathlib import Path
from typing import Dict, Iterator, List

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object
from attribution.reports.blocks import Block, Cell, Number, Plot, Table
from attribution.reports.matrix import ACCURACY, SIMILARITY, matrix_blocks
from attribution.reports.plots import Curve, curves
from attribution.reports.report_section import ReportSection
from attribution.reports.violins import violins
from attribution.similarity import SimilarityMatrix


@ReportSection.register("agents")
class AgentsSection(ReportSection):
    """
    What `allennlp compare-agents` writes: what chosen, peeked and random sets of image agents come to on new tasks, and
    how alike the agents are.

    Registered as a `ReportSection` with name "agents".
    """

    needs = ACCURACY

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return (path / ACCURACY).is_file()

    def inputs(self) -> List[Path]:
        matrix = self.path / SIMILARITY
        return [self.path / ACCURACY, *([matrix] if matrix.is_file() else [])]

    def blocks(self) -> Iterator[Block]:
        means = self._means()
        sizes = [str(size) for size in range(1, means["random"].shape[1] + 1)]
        one = {way: values.mean(0) for way, values in means.items()}
        over = f"means over all tasks but the first, which peek has seen. From {self.path}."
        rows: List[List[Cell]] = [[size, *map(Number, row)] for size, row in zip(sizes, zip(*one.values()))]
        caption = f"Accuracy of linear heads on the features of so many agents, {over}"
        yield Table("Accuracy", caption, ["agents", *one], rows)
        x = np.arange(1, len(sizes) + 1)
        points = 100 * (means["random"] - one["random"])
        low, high = np.quantile(points, [0.05, 0.95], axis=0)
        lines = [Curve(way, x, 100 * (one[way] - one["random"])) for way in one if way != "random"]
        lines.append(Curve("random", x, 0 * x, low, high))
        caption = (
            f"Points of accuracy over the mean of {len(points)} random sets, {over} Band: from 5 to 95% of random sets."
        )
        yield Plot("Gain", caption, curves({"": lines}, "agents", "points of accuracy over random"))
        series = {way: list(values.T) for way, values in means.items()}
        caption = f"Accuracy of each set, {over} Violins with their median where there are many sets, else their mean."
        yield Plot("Random sets", caption, violins(sizes, series, "agents", "accuracy"))
        if (self.path / SIMILARITY).is_file():
            matrix = SimilarityMatrix.load(self.path / SIMILARITY)
            yield from matrix_blocks(matrix, "alignment", f"linear CKA of features. From {self.path}.", self.linkage)

    def _means(self) -> Dict[str, np.ndarray]:
        """By way to choose the accuracies, means over tasks. Shape: (sets, k)"""
        path = self.path / ACCURACY
        content, _ = read_json_object(path)
        try:
            means = {way: np.array(found["accuracy"], float)[:, :, 1:].mean(2) for way, found in content.items()}
            if len({values.shape[1] for values in means.values()}) != 1 or "random" not in means:
                raise ValueError("ways of different lengths, or none at random")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ConfigurationError(f"{path}: not what `allennlp compare-agents` writes ({error!r})") from error
        return means
