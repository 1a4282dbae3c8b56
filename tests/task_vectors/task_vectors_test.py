from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.task_vectors import TaskVectors, principal_components


def test_kept_and_read(tmp_path: Path) -> None:
    vectors = TaskVectors(["rte", "glue-é"], np.array([[3, 4], [0, 0]], dtype=np.float32))
    vectors.save(tmp_path / "task_vectors.npz")
    read = TaskVectors.load(tmp_path / "task_vectors.npz")
    assert read.names == vectors.names and np.array_equal(read.vectors, vectors.vectors)
    assert read.vectors.dtype == np.float32


def test_cosines() -> None:
    cosines = TaskVectors(["a", "b", "c"], np.array([[1, 0], [3, 4], [0, 0]], dtype=np.float32)).cosines()
    np.testing.assert_allclose(cosines.scores, [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 0]], atol=1e-7)
    assert cosines.higher_is_better and cosines.targets == ["a", "b", "c"]


@pytest.mark.parametrize(
    "names, values, message",
    [
        (["a", "a"], [[1.0], [2.0]], "'a' is there twice"),
        (["a", "b"], [[1.0], [np.nan]], "that of 'b' is not of finite numbers"),
        (["a"], [[1.0], [2.0]], r"of shape \(2, 1\) for 1 tasks"),
    ],
)
def test_vectors_that_make_no_sense(names: list, values: list, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        TaskVectors(names, np.array(values, dtype=np.float32))


def test_another_file(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"no")
    for name in ("x.npz", "missing.npz"):
        with pytest.raises(ConfigurationError, match=f"{name}: not task vectors, which `allennlp embed-tasks`"):
            TaskVectors.load(tmp_path / name)


def test_principal_components_are_those_of_the_singular_vectors() -> None:
    vectors = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32) + 7
    found = principal_components(vectors, 3)
    left, values, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :3] * values[:3]), atol=1e-4)
    assert (found[np.abs(found).argmax(0), range(3)] > 0).all()
    # All components keep the distances.
    whole = principal_components(vectors, 4)
    np.testing.assert_allclose(
        np.linalg.norm(whole[:, None] - whole, axis=-1), np.linalg.norm(vectors[:, None] - vectors, axis=-1), atol=1e-4
    )
    for wrong in (0, 5):
        with pytest.raises(ConfigurationError, match=f"dimension is {wrong}; 5 tasks have from 1 to 4"):
            principal_components(vectors, wrong)
