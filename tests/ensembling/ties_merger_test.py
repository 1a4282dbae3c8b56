from typing import List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft.utils.merge_utils import ties

from attribution.ensembling import TiesMerger
from attribution.ensembling.delta_folder import DeltaLayout

LORA = DeltaLayout({"peft_type": "LORA"}, {}, {})


def _merge(
    tensors: torch.Tensor, weights: List[List[float]], density: float, layout: DeltaLayout = LORA
) -> torch.Tensor:
    return TiesMerger(density).merge([tensors], torch.tensor(weights), layout)[0]


def test_by_hand() -> None:
    tensors = torch.tensor([[4.0, -3.0, 1.0, 0.5], [2.0, 5.0, 0.1, -1.0], [-5.0, 1.0, 3.0, 0.2]])
    # Trimmed to the two largest: [4, -3, 0, 0], [2, 5, 0, 0], [-5, 0, 3, 0].
    # Sums: 1, 2, 3, 0; of the elected sign: 4 and 2; 5; 3; none.
    torch.testing.assert_close(_merge(tensors, [[1 / 3] * 3], 0.5), torch.tensor([[3.0, 5.0, 3.0, 0.0]]))
    # With most weight on the third, the first sign is its; the means are of those that agree.
    weighted = _merge(tensors, [[0.2, 0.2, 0.6]], 0.5)
    torch.testing.assert_close(weighted, torch.tensor([[-5.0, 5.0, 3.0, 0.0]]))


@pytest.mark.parametrize("density", [0.2, 0.5, 1.0])
def test_with_equal_weights_it_is_the_libraries(density: float) -> None:
    tensors = torch.randn(5, 7, 6, generator=torch.Generator().manual_seed(3))
    theirs = ties(list(tensors), torch.ones(5), density)
    torch.testing.assert_close(_merge(tensors, [[0.2] * 5], density)[0], theirs)
    without_first = ties(list(tensors[1:]), torch.ones(4), density)
    both = _merge(tensors, [[0.2] * 5, [0.0, *[0.25] * 4]], density)
    torch.testing.assert_close(both, torch.stack([theirs, without_first]))


def test_of_ia3_the_distance_from_one_is_merged() -> None:
    tensors = torch.tensor([[1.0, 3.0, 1.1], [1.2, 0.5, 1.0]])
    merged = _merge(tensors, [[0.5, 0.5]], 0.34, DeltaLayout({"peft_type": "IA3"}, {}, {}))
    torch.testing.assert_close(merged, torch.tensor([[1.0, 3.0, 1.0]]))


def test_single_values_and_few_values() -> None:
    assert _merge(torch.tensor([2.0, 4.0]), [[0.5, 0.5]], 1.0).tolist() == [3.0]
    assert _merge(torch.tensor([[2.0, 1.0], [4.0, 1.0]]), [[0.5, 0.5]], 0.2).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("density", [0.0, 1.1, -1, float("nan")])
def test_a_density_that_is_none(density: float) -> None:
    with pytest.raises(ConfigurationError, match="ties: density is"):
        TiesMerger(density)
