from pathlib import Path
from typing import List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.reports import Plot, SimilaritySection, Table
from attribution.reports.blocks import Block
from attribution.similarity import SimilarityMatrix
from tests.reports.conftest import write_matrix

pytest.importorskip("matplotlib")


def _titles(blocks: List[Block]) -> List[str]:
    return [block if isinstance(block, str) else block.title for block in blocks]


def test_a_square_matrix(tmp_path: Path) -> None:
    write_matrix(tmp_path / "similarity.npz")
    blocks = list(SimilaritySection(tmp_path).blocks())
    assert _titles(blocks) == ["Heat map", "Dendrogram", "Scores"]
    figure = blocks[1].figure  # type: ignore[union-attr]
    heat = next(axes for axes in figure.axes if axes.images)
    assert [label.get_text() for label in heat.get_yticklabels()] == ["boolq", "rte", "copa", "wic"]
    assert heat.images[0].get_array()[0].tolist() == [1.0, 0.9, 0.2, 0.1]
    assert "the highest score minus their own" in blocks[1].caption  # type: ignore[union-attr]
    assert [str(cell) for cell in blocks[2].rows[0]] == ["boolq", "1.000", "0.200", "0.900", "0.100"]  # type: ignore[union-attr]


def test_rows_in_another_order_than_columns(tmp_path: Path) -> None:
    matrix = write_matrix(tmp_path / "similarity.npz")
    turned = SimilarityMatrix(matrix.targets[::-1], matrix.sources, matrix.scores[::-1], True, "model")
    turned.save(tmp_path / "similarity.npz")
    blocks = list(SimilaritySection(tmp_path).blocks())
    assert _titles(blocks) == ["Heat map", "Dendrogram", "Scores"]
    heat = next(axes for axes in blocks[1].figure.axes if axes.images)  # type: ignore[union-attr]
    assert heat.images[0].get_array()[0].tolist() == [1.0, 0.9, 0.2, 0.1]


def test_a_file_of_parts_of_which_low_is_close(tmp_path: Path) -> None:
    write_matrix(tmp_path / "any.npz", parts=3, higher_is_better=False)
    blocks = list(SimilaritySection(tmp_path / "any.npz").blocks())
    assert _titles(blocks) == ["Heat map", "Dendrogram", "By part", "Scores"]
    assert "the mean of 3 parts (block); lower is closer" in blocks[0].caption  # type: ignore[union-attr]
    assert "their score minus the lowest" in blocks[1].caption  # type: ignore[union-attr]
    assert str(blocks[3].rows[0][1]) == "2.000"  # type: ignore[union-attr]


def test_of_other_targets_than_sources_there_is_no_dendrogram(tmp_path: Path) -> None:
    SimilarityMatrix(["a", "b"], ["c"], np.ones((2, 1)), True, "model").save(tmp_path / "similarity.npz")
    assert _titles(list(SimilaritySection(tmp_path).blocks())) == ["Heat map", "Scores"]


def test_missing_scores_are_dashes(tmp_path: Path) -> None:
    matrix = write_matrix(tmp_path / "similarity.npz")
    matrix.scores[0, 1] = np.nan
    matrix.save(tmp_path / "similarity.npz")
    first, heat, no_dendrogram, table = SimilaritySection(tmp_path).blocks()
    assert first == "1 of 16 scores are no numbers: dashes in tables, and blank in plots."
    assert isinstance(heat, Plot) and "–" in {text.get_text() for text in heat.figure.axes[0].texts}
    assert no_dendrogram == "There is no dendrogram: some scores of two different members are missing."
    assert isinstance(table, Table) and str(table.rows[0][2]) == "–" and table.csv_rows()[1][2] == ""


def test_missing_scores_with_oneself_do_not_matter(tmp_path: Path) -> None:
    matrix = write_matrix(tmp_path / "similarity.npz")
    np.fill_diagonal(matrix.scores, np.nan)
    matrix.save(tmp_path / "similarity.npz")
    assert _titles(list(SimilaritySection(tmp_path).blocks()))[1:] == ["Heat map", "Dendrogram", "Scores"]


def test_nothing_but_missing_scores(tmp_path: Path) -> None:
    SimilarityMatrix(["a"], ["b"], np.full((1, 1), np.inf), True, "model").save(tmp_path / "similarity.npz")
    (text,) = SimilaritySection(tmp_path).blocks()
    assert str(text).startswith("1 of 1 scores are no numbers")


def test_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "similarity.npz").write_bytes(b"nothing")
    with pytest.raises(ConfigurationError, match="similarity.npz: not a similarity matrix"):
        list(SimilaritySection(tmp_path).blocks())
