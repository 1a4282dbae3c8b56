from itertools import combinations

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.selection import Covariance, ExhaustiveSelector, MaxMutualInformation, exhaustive_selector
from tests.selection.conftest import information_by_definition, letters, random_correlations


@pytest.mark.parametrize("batch", [7, 10_000])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_no_set_is_better(k: int, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhaustive_selector, "_BATCH", batch)
    values = random_correlations(9, k)
    best = max(combinations(range(9), k), key=lambda chosen: information_by_definition(values, chosen))
    assert ExhaustiveSelector().pick(Covariance(letters(9), values), k) == list(best)


def test_of_equal_sets_the_first(zoo: Covariance) -> None:
    assert ExhaustiveSelector().pick(zoo, 3) == [0, 4, 7]


def test_too_many_sets() -> None:
    covariance = Covariance(letters(40), random_correlations(40, 0))
    with pytest.raises(
        ConfigurationError, match=r"there are 847660528 sets of 10 among 40, above 1000000 \(`max_sets`"
    ):
        ExhaustiveSelector().select(covariance, 10)
    with pytest.raises(ConfigurationError, match=r"above 700 \(`max_sets`\)"):
        ExhaustiveSelector(max_sets=700).select(covariance, 2)


def test_the_published_kernel(published: Covariance) -> None:
    """The greedy three are no better."""
    best = ExhaustiveSelector().select(published, 3).information[-1]
    wanted = max(information_by_definition(published.values, chosen) for chosen in combinations(range(34), 3))
    assert best == pytest.approx(wanted)
    assert MaxMutualInformation().select(published, 3).information[-1] <= best + 1e-9
