from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.selection import own_names, read_covariance
from attribution.similarity import SimilarityMatrix

NAMES = ["bert", "gpt2", "t5"]
VALUES = np.array([[1, 0.6, 0.1], [0.6, 1, 0.2], [0.1, 0.2, 1]])


def test_an_array_and_its_names(tmp_path: Path) -> None:
    np.save(tmp_path / "kappa.npy", VALUES)
    (tmp_path / "names.txt").write_text("bert\n gpt2 \nt5\n")
    covariance = read_covariance(tmp_path / "kappa.npy", tmp_path / "names.txt")
    assert covariance.names == NAMES
    np.testing.assert_array_equal(covariance.values, VALUES)
    with pytest.raises(ConfigurationError, match="a .npy has no names"):
        read_covariance(tmp_path / "kappa.npy")
    with pytest.raises(ConfigurationError, match="part: .*kappa.npy has none"):
        read_covariance(tmp_path / "kappa.npy", tmp_path / "names.txt", part=0)


def test_a_similarity_matrix_and_its_parts(tmp_path: Path) -> None:
    path = tmp_path / "similarity.npz"
    parts = np.stack([VALUES, np.eye(3)], axis=2)
    SimilarityMatrix(NAMES, NAMES, parts, True, "layer", ["a", "b"]).save(path)
    np.testing.assert_array_equal(read_covariance(path).values, (VALUES + np.eye(3)) / 2)
    np.testing.assert_array_equal(read_covariance(path, part=1).values, np.eye(3))
    with pytest.raises(ConfigurationError, match="part is 2; .* has 2, from 0"):
        read_covariance(path, part=2)


def test_members_are_targets_and_sources() -> None:
    path = Path("similarity.npz")
    assert own_names(SimilarityMatrix(NAMES, NAMES, VALUES, True, "model"), path) == NAMES
    with pytest.raises(ConfigurationError, match="similarity.npz has other targets than sources"):
        own_names(SimilarityMatrix(NAMES, NAMES[::-1], VALUES, True, "model"), path)
    with pytest.raises(ConfigurationError, match="a lower one is better"):
        own_names(SimilarityMatrix(NAMES, NAMES, VALUES, False, "model"), path)
