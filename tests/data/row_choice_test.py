import numpy as np
import pytest

from attribution.data.row_choice import Digests, repeats, within_cap


def _digests(*texts: str) -> np.ndarray:
    digests = Digests()
    for text in texts:
        digests.append(text)
    return digests.array()


def test_equal_rows_point_at_the_first_of_them() -> None:
    assert repeats(_digests("a", "b", "a", "c", "b", "a")).tolist() == [0, 1, 0, 3, 1, 0]
    assert repeats(_digests()).tolist() == []


def test_many_rows_against_a_dictionary() -> None:
    texts = [str(number) for number in np.random.default_rng(0).integers(0, 300, 2000)]
    first: dict = {}
    assert repeats(_digests(*texts)).tolist() == [first.setdefault(text, row) for row, text in enumerate(texts)]


def test_where_one_text_ends_matters() -> None:
    digests = Digests()
    digests.append("ab", "c")
    digests.append("a", "bc")
    assert repeats(digests.array()).tolist() == [0, 1]


def test_the_first_of_each_group() -> None:
    groups = np.array([2, 0, 2, 2, 1, 0, 2])
    assert within_cap(groups, 1).tolist() == [True, True, False, False, True, False, False]
    assert within_cap(groups, 3).tolist() == [True, True, True, True, True, True, False]
    assert within_cap(np.array([], dtype=np.int64), 1).tolist() == []


@pytest.mark.parametrize("cap", [1, 7])
def test_after_a_permutation_it_is_a_uniform_sample_of_each_group(cap: int) -> None:
    groups = np.array([0] * 20 + [1] * 10 + [2] * 3)
    drawn = np.zeros(len(groups))
    draws = 3000
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(groups))
        kept = order[within_cap(groups[order], cap)]
        assert np.bincount(groups[kept]).tolist() == [min(cap, size) for size in (20, 10, 3)]
        drawn[kept] += 1
    for group, size in enumerate((20, 10, 3)):
        share = min(cap, size) / size
        # 4.5 standard deviations of a binomial share.
        tolerance = 4.5 * np.sqrt(share * (1 - share) / draws) + 1e-12
        assert np.abs(drawn[groups == group] / draws - share).max() <= tolerance
