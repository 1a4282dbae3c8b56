from typing import Any

import numpy as np
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.selection import CheckpointSelector, Covariance, HubSelector
from attribution.selection.checkpoint_selector import first_best
from tests.selection.conftest import information_by_definition, letters

SELECTORS = [
    {"type": "mmi"},
    {"type": "mmi", "hub_start": True},
    {"type": "entropy"},
    {"type": "entropy", "hub_start": True},
    {"type": "hub"},
    {"type": "random", "seed": 3},
    {"type": "fixed", "names": letters(9)[::-1]},
    {"type": "top_k_on_task", "scores": {name: number * 7 % 9 for number, name in enumerate(letters(9))}},
    {"type": "k_medoids"},
    {"type": "exhaustive"},
]


@pytest.mark.parametrize("config", SELECTORS, ids=str)
@pytest.mark.parametrize("k", [1, 3, 8, 9])
def test_every_selector_picks_k_and_says_what_they_tell(config: Any, k: int, zoo: Covariance) -> None:
    selection = CheckpointSelector.from_params(Params(dict(config))).select(zoo, k)
    assert len(set(selection.indices)) == len(selection.indices) == k
    assert selection.names == [zoo.names[index] for index in selection.indices]
    wanted = [information_by_definition(zoo.values, selection.indices[:count]) for count in range(1, k + 1)]
    np.testing.assert_allclose(selection.information, wanted, atol=1e-10)
    assert CheckpointSelector.from_params(Params(dict(config))).select(zoo, k) == selection


@pytest.mark.parametrize("config", SELECTORS, ids=str)
@pytest.mark.parametrize("k", [-1, 0, 10])
def test_so_many_there_are_not(config: Any, k: int, zoo: Covariance) -> None:
    with pytest.raises(ConfigurationError, match=f"k is {k}; a number from 1 to the 9 members is needed"):
        CheckpointSelector.from_params(Params(dict(config))).select(zoo, k)


def test_a_zoo_of_one() -> None:
    selection = HubSelector().select(Covariance(["only"], np.ones((1, 1))), 1)
    assert selection.names == ["only"] and selection.information == pytest.approx([0])


def test_equal_up_to_rounding_is_equal() -> None:
    assert first_best(np.array([0.1, 0.3, 0.3 + 1e-7, 0.2])) == 1
    assert first_best(np.array([0.1, 0.3, 0.3 + 1e-5, 0.2])) == 2
