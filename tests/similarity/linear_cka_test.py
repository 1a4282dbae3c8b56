from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.similarity import common_rows, linear_cka


def by_definition(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the centred kernels HKH and HLH."""
    count = len(one)
    centring = np.eye(count) - 1 / count
    kernels = [centring @ (x.astype(np.float64) @ x.astype(np.float64).T) @ centring for x in (one, other)]
    norms = [np.linalg.norm(kernel) for kernel in kernels]
    return float((kernels[0] * kernels[1]).sum() / norms[0] / norms[1])


def feature_sets(dtype: Any = np.float32, count: int = 5, rows: int = 150) -> List[np.ndarray]:
    """Of different widths, with columns far from 0 as those of language models are."""
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(rows, 6))
    sets = []
    for number in range(count):
        width = 8 + 3 * number
        values = shared @ generator.normal(size=(6, width)) + (number + 1) * generator.normal(size=(rows, width))
        values[:, 0] += 300
        sets.append(values.astype(dtype))
    return sets


class _Counted:
    """Features that count which rows are read."""

    ndim = 2

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.rows_read = 0

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> np.ndarray:
        read = self.values[rows]
        self.rows_read += len(read)
        return read


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("blocks", [{}, {"rows_at_once": 7, "sets_at_once": 2}, {"rows_at_once": 150}])
def test_it_is_that_of_the_definition(dtype: Any, blocks: Any) -> None:
    sets = feature_sets(dtype)
    wanted = [[by_definition(one, other) for other in sets] for one in sets]
    alignment = linear_cka(sets, **blocks)
    np.testing.assert_allclose(alignment, wanted, atol=1e-6)
    np.testing.assert_array_equal(alignment, alignment.T)
    np.testing.assert_array_equal(alignment.diagonal(), 1)
    assert 0.05 < alignment.min() < 0.9


def test_by_hand() -> None:
    one = np.array([[1.0], [-1.0], [0.0]])
    other = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    # X'Y = [1, -1], X'X = [2], Y'Y = [[2, 1], [1, 2]]: 2 / (2 sqrt(10)).
    np.testing.assert_allclose(linear_cka([one, other + 5])[0, 1], 1 / np.sqrt(10))
    # [1, -1] stays, with means of 5: Y'Y = [[77, 76], [76, 77]].
    np.testing.assert_allclose(
        linear_cka([one, other + 5], centred=False)[0, 1], 2 / (2 * np.sqrt(2 * 77**2 + 2 * 76**2))
    )


def test_neither_rotation_nor_scale_nor_shift_counts() -> None:
    sets = feature_sets(np.float64, count=2)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8))).Q
    np.testing.assert_allclose(linear_cka([sets[0], 3 * sets[0] @ rotation + 1])[0, 1], 1)
    np.testing.assert_allclose(linear_cka([sets[0] @ rotation - 2, sets[1]]), linear_cka(sets))


def test_features_may_be_on_the_disk(tmp_path: Path) -> None:
    sets = feature_sets()
    mapped = []
    for number, values in enumerate(sets):
        np.save(tmp_path / f"{number}.npy", values)
        mapped.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    np.testing.assert_array_equal(linear_cka(mapped, rows_at_once=40), linear_cka(sets, rows_at_once=40))


def test_sets_are_not_read_again_for_each_other_set() -> None:
    """Nine sets in threes: for the means, beside their own group, and beside or against the two others."""
    sets = [_Counted(values) for values in feature_sets(count=9)]
    alignment = linear_cka(sets, sets_at_once=3)
    np.testing.assert_array_equal(alignment, linear_cka([each.values for each in sets], sets_at_once=3))
    assert [each.rows_read // 150 for each in sets] == [1 + 3] * 9


def test_all_pairs_are_of_the_rows_that_all_have() -> None:
    """The published script takes those of each pair, by which the matrix may become indefinite."""
    sets = feature_sets(np.float64, count=3)
    generator = np.random.default_rng(2)
    kept = [generator.permutation(np.delete(np.arange(150), cut)) for cut in ([3, 70], [5], [149, 5, 0])]
    # Rows 0 to 149 as words of sentences of ten words.
    keys = [np.stack([rows // 10, rows % 10], axis=1) for rows in kept]
    rows = common_rows(keys)
    common = np.delete(np.arange(150), [0, 3, 5, 70, 149])
    for numbers, here in zip(rows, kept):
        np.testing.assert_array_equal(here[numbers], common)
    cut = [values[here] for values, here in zip(sets, kept)]
    wanted = linear_cka([values[common] for values in sets])
    np.testing.assert_allclose(linear_cka(cut, rows, rows_at_once=20), wanted, rtol=1e-12)
    assert np.linalg.eigvalsh(wanted)[0] > 0


def test_rows_that_cannot_be_matched() -> None:
    with pytest.raises(ConfigurationError, match="the 2 feature sets have no row in common"):
        common_rows([np.array([[0, 0], [0, 1]]), np.array([[1, 0]])])
    with pytest.raises(ConfigurationError, match="feature set 1 has two rows of the same key"):
        common_rows([np.array([[0, 0], [0, 1]]), np.array([[1, 0], [1, 0]])])


@pytest.mark.parametrize(
    "wrong, message",
    [
        (np.zeros((149, 3)), "feature sets 0 and 1 have 150 and 149 rows"),
        (np.full((150, 3), 0.1), "feature set 1 is the same in all rows"),
        (np.full((150, 3), np.nan), "feature set 1 has values that are not numbers"),
        (np.full((150, 3), np.inf), "feature set 1 has values that are not numbers"),
        (np.zeros((150, 3), dtype=int), r"feature set 1: floats of shape \(rows, width\) are needed, these are int64"),
        (np.zeros(150), r"feature set 1: floats of shape \(rows, width\) are needed, .* of shape \(150,\)"),
        (np.zeros((1, 3)), "feature set 1 has 1 rows; two at least are needed"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_no_feature_set(wrong: np.ndarray, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        linear_cka([feature_sets(np.float64, count=1)[0], wrong])
