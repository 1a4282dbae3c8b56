from typing import List

import numpy as np
import pytest

from attribution.selection import Covariance, ExhaustiveSelector, HubSelector, MaxEntropy, MaxMutualInformation
from tests.selection.conftest import information_by_definition, letters, log_determinant, random_correlations

FIVE = ["roberta-base", "distilbert-base-uncased", "t5-base", "bert-base-cased", "bart-large"]


def greedy_by_definition(values: np.ndarray, k: int) -> List[int]:
    """Each gain as the difference of two mutual informations, each from three determinants."""
    picked: List[int] = []
    for _ in range(k):
        left = [index for index in range(len(values)) if index not in picked]
        picked.append(max(left, key=lambda index: information_by_definition(values, [*picked, index])))
    return picked


@pytest.mark.parametrize("seed", range(8))
def test_mmi_picks_what_the_definition_picks(seed: int) -> None:
    values = random_correlations(20, seed)
    assert MaxMutualInformation().pick(Covariance(letters(20), values), 8) == greedy_by_definition(values, 8)


@pytest.mark.parametrize("seed", range(8))
def test_mmi_is_as_near_to_the_best_set_as_promised(seed: int) -> None:
    """Krause, Singh and Guestrin (2008): at least 1 - 1/e of it, up to what is not monotone."""
    covariance = Covariance(letters(12), random_correlations(12, seed))
    greedy, best = (
        selector.select(covariance, 3).information[-1] for selector in (MaxMutualInformation(), ExhaustiveSelector())
    )
    assert (1 - 1 / np.e) * best <= greedy <= best + 1e-9


def test_three_by_hand() -> None:
    """The middle of a chain tells most of the rest; of what is left, neither end is better."""
    values = np.array([[1, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 1]])
    selection = MaxMutualInformation().select(Covariance(["a", "b", "c"], values), 2)
    assert selection.names == ["b", "a"]
    # |S_ac| = 15/16 and |S| = 9/16, then |S_ab| = 3/4.
    np.testing.assert_allclose(selection.information, [np.log(15 / 9) / 2, np.log(0.75 * 16 / 9) / 2])


def test_one_of_each_family_the_largest_first(zoo: Covariance) -> None:
    assert MaxMutualInformation().pick(zoo, 3) == [0, 4, 7]
    assert MaxEntropy().pick(zoo, 3) == [0, 4, 7]


@pytest.mark.parametrize("hub_start", [False, True])
def test_the_published_algorithm_over_all_steps(hub_start: bool, published: Covariance) -> None:
    """Two inverses for each candidate and step, and half the logarithm of their ratio."""
    values = published.values
    picked: List[int] = []
    gains = []

    def left_open(member: int, known: List[int]) -> float:
        cross = values[member, known]
        return float(1 - cross @ np.linalg.inv(values[np.ix_(known, known)]) @ cross)

    for step in range(20):
        left = [index for index in range(34) if index not in picked]
        ratios = {
            index: left_open(index, picked) / left_open(index, [other for other in left if other != index])
            for index in left
        }
        first = hub_start and step == 0
        picked.append(max(left, key=lambda index: values[index].sum() if first else ratios[index]))
        gains.append(np.log(ratios[picked[-1]]) / 2)
    selection = MaxMutualInformation(hub_start).select(published, 20)
    assert selection.indices == picked
    np.testing.assert_allclose(selection.information, np.cumsum(gains))


def test_the_hub_may_be_first() -> None:
    values = random_correlations(20, 2)
    hub = int(values.sum(1).argmax())
    covariance = Covariance(letters(20), values)
    assert MaxMutualInformation().pick(covariance, 4)[0] != hub
    for selector in (MaxMutualInformation(hub_start=True), MaxEntropy(hub_start=True)):
        assert selector.pick(covariance, 4)[0] == hub


def test_entropy_is_the_greedy_determinant() -> None:
    values = random_correlations(15, 4)
    picked = [0]
    for _ in range(5):
        left = [index for index in range(15) if index not in picked]
        picked.append(max(left, key=lambda index: log_determinant(values[np.ix_([*picked, index], [*picked, index])])))
    assert MaxEntropy().pick(Covariance(letters(15), values), 6) == picked


def test_the_order_of_the_zoo_does_not_matter() -> None:
    values = random_correlations(20, 5)
    order = np.random.default_rng(0).permutation(20)
    mixed = MaxMutualInformation().pick(Covariance(letters(20), values[np.ix_(order, order)]), 6)
    assert order[mixed].tolist() == MaxMutualInformation().pick(Covariance(letters(20), values), 6)


def test_a_member_that_is_there_twice_is_taken_once() -> None:
    """The published script inverts a singular matrix here."""
    values = random_correlations(8, 6)
    again = [0, 1, 2, 3, 4, 5, 6, 7, 3]
    picked = MaxMutualInformation().pick(Covariance(letters(9), values[np.ix_(again, again)]), 4)
    assert picked[0] == 3 and 8 not in picked


def test_of_members_that_are_there_three_times_the_first() -> None:
    """Their gains differ by rounding, from the eighth digit on."""
    values = np.eye(13)
    values[:10, :10] = random_correlations(10, 1)
    again = [*range(10), 3, 3, 0]
    covariance = Covariance(letters(13), values[np.ix_(again, again)])
    for selector in (MaxMutualInformation(), MaxEntropy(hub_start=True), HubSelector(), ExhaustiveSelector()):
        picked = selector.pick(covariance, 4)
        assert 10 not in picked or 3 in picked[: picked.index(10)]
        assert 12 not in picked or 0 in picked[: picked.index(12)]
    assert MaxMutualInformation().pick(covariance, 2)[0] == 3


def test_the_published_picks(published: Covariance) -> None:
    """The published script sums log d without the half: 5.8969."""
    selection = MaxMutualInformation().select(published, 5)
    assert selection.names == FIVE
    assert selection.information[-1] == pytest.approx(2.9484, abs=5e-5)
    assert 2 * selection.information[-1] == pytest.approx(5.8969, abs=5e-5)
    assert selection.indices == greedy_by_definition(published.values, 5)
    assert published.repaired is None
