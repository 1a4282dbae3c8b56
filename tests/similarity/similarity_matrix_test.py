from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

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
