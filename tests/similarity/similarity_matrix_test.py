from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.tables import read_table
from attribution.similarity import SimilarityMatrix


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_comes_back_as_it_was(shape: tuple, tmp_path: Path) -> None:
    scores = np.random.default_rng(1).normal(size=shape)
    matrix = SimilarityMatrix(["a", "b"], ["x", "y", "ü z"], scores, False, "layer")
    matrix.save(tmp_path / "m.npz")
    again = SimilarityMatrix.load(tmp_path / "m.npz")
    assert (again.targets, again.sources) == (matrix.targets, matrix.sources)
    assert (again.higher_is_better, again.granularity) == (False, "layer")
    np.testing.assert_array_equal(again.scores, scores)
    header, first, second = [line.split("\t") for line in (tmp_path / "m.tsv").read_text().splitlines()]
    assert header == ["", "x", "y", "ü z"] and second[0] == "b"
    np.testing.assert_allclose([float(cell) for cell in first[1:]], scores.reshape(2, 3, -1).mean(-1)[0])


def test_wrong_shapes_and_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 targets and 2 sources"):
        SimilarityMatrix(["a"], ["x", "y"], np.zeros((2, 1)), True, "task")
    (tmp_path / "m.npz").write_bytes(b"no")
    with pytest.raises(ConfigurationError, match="m.npz: not a similarity matrix"):
        SimilarityMatrix.load(tmp_path / "m.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(1))
    with pytest.raises(ConfigurationError, match="targets"):
        SimilarityMatrix.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"scores": np.ones((1, 2)) * 1j}, "scores are complex128, and real numbers are needed"),
        ({"scores": np.array([["1", "2"]])}, "scores are <U1, and real numbers are needed"),
        ({"higher_is_better": "false"}, "'false' in the place of true or false"),
        ({"higher_is_better": 1}, "1 in the place of true or false"),
        ({"granularity": 3}, "3 in the place of a text"),
        ({"targets": [1]}, "int64 of shape"),
        ({"sources": ["x", "x"]}, "the name 'x' is there twice"),
        ({"sources": ["x\ty", "z"]}, "the name"),
        ({"sources": ["x"]}, "scores of shape"),
    ],
)
def test_what_is_no_matrix(changes: Any, message: str, tmp_path: Path) -> None:
    good = {"targets": ["a"], "sources": ["x", "y"], "scores": np.ones((1, 2)), "higher_is_better": True}
    np.savez(tmp_path / "m.npz", **{**good, "granularity": "task", **changes})
    with pytest.raises(ConfigurationError, match=rf"m\.npz: not a similarity matrix .*{message}"):
        SimilarityMatrix.load(tmp_path / "m.npz")


def test_a_name_is_one_cell_of_the_table(tmp_path: Path) -> None:
    SimilarityMatrix(["a\tb"], ["=x", 'y"'], np.ones((1, 2)), True, "task").save(tmp_path / "m.npz")
    assert [cells for _, cells in read_table(tmp_path / "m.tsv")] == [["", "=x", 'y"'], ["a\tb", "1.0", "1.0"]]
