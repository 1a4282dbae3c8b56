import random
from typing import List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance

from attribution.data.fields import AnswerOptionsField, TokenIdsField
from attribution.data.samplers import TokenBudgetBatchSampler


def _instances(lengths: List[int], options: int = 1) -> List[Instance]:
    return [
        Instance(
            {
                "prompt_and_input": TokenIdsField([1] * length, 0),
                "answer_options": AnswerOptionsField([[1, 2]] * options, 0),
            }
        )
        for length in lengths
    ]


def test_batches_are_full_but_never_over_the_padded_budget() -> None:
    random.seed(1)
    lengths = [random.randint(1, 60) for _ in range(500)]
    instances = _instances(lengths, options=3)
    sampler = TokenBudgetBatchSampler(max_tokens=300)
    batches = list(sampler.get_batch_indices(instances))
    assert sorted(index for batch in batches for index in batch) == list(range(500))
    padded = [len(batch) * (max(lengths[index] for index in batch) + 3 * 2) for batch in batches]
    assert max(padded) <= 300
    real = sum(lengths) + 500 * 6
    assert sum(padded) / real < 1.05
    assert len(batches) == sampler.get_num_batches(instances)


def test_epochs_differ_in_order_and_not_in_number() -> None:
    instances = _instances([5] * 40 + [9] * 40)
    sampler = TokenBudgetBatchSampler(max_tokens=64)
    epochs = [list(sampler.get_batch_indices(instances)) for _ in range(3)]
    assert len({len(epoch) for epoch in epochs}) == 1
    assert epochs[0] != epochs[1] != epochs[2]
    random.seed(7)
    first = list(sampler.get_batch_indices(instances))
    random.seed(7)
    state = random.getstate()
    assert sampler.get_num_batches(instances) == len(first)
    assert random.getstate() == state  # Counting draws no random number.
    assert list(sampler.get_batch_indices(instances)) == first


def test_by_hand() -> None:
    sampler = TokenBudgetBatchSampler(max_tokens=24, max_rows=3, shuffle=False)
    # Options take 2. Sorted: 1, 2, 3 (3 rows, the most), then 6, 8 (8 + 2) x 2 = 20, then 30, alone over the budget.
    assert list(sampler.get_batch_indices(_instances([3, 30, 1, 8, 2, 6]))) == [[2, 4, 0], [5, 3], [1]]
    assert list(sampler.get_batch_indices([])) == []


@pytest.mark.parametrize("settings", [{"max_tokens": 0}, {"max_tokens": 8, "max_rows": 0}])
def test_a_budget_must_be_positive(settings: dict) -> None:
    with pytest.raises(ConfigurationError, match="must be positive"):
        TokenBudgetBatchSampler(**settings)
