from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError
from allennlp.data import Instance
from allennlp.data.fields import MetadataField

from attribution.data.samplers import OneTaskBatchSampler

TASKS = ["a", "b", "a", "c", "a", "b", "a", "a"]


def rows(tasks: List[Any]) -> List[Instance]:
    return [Instance({"details": MetadataField({"task": task})}) for task in tasks]


def test_batches_are_of_one_task_and_have_every_row_once() -> None:
    sampler = OneTaskBatchSampler(2)
    seen = set()
    for _ in range(10):
        batches = list(sampler.get_batch_indices(rows(TASKS)))
        assert sorted(row for batch in batches for row in batch) == list(range(8))
        assert all(len({TASKS[row] for row in batch}) == 1 and len(batch) <= 2 for batch in batches)
        assert len(batches) == sampler.get_num_batches(rows(TASKS)) == 5
        seen.add(str(batches))
    assert len(seen) > 1


def test_without_shuffling_the_order_stays() -> None:
    sampler = OneTaskBatchSampler(2, shuffle=False)
    assert sampler.get_batch_indices(rows(TASKS)) == [[0, 2], [4, 6], [7], [1, 5], [3]]


def test_wrong_settings_and_rows_without_a_task() -> None:
    with pytest.raises(ConfigurationError, match="batch_size is 0"):
        OneTaskBatchSampler(0)
    for instances in (rows([None]), [Instance({})]):
        with pytest.raises(ConfigurationError, match="does not say what its task is"):
            OneTaskBatchSampler(1).get_num_batches(instances)
