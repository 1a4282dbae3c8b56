"""Batches whose rows are all of one task."""

import random
from typing import Dict, Iterable, List, Sequence

from allennlp.common.checks import ConfigurationError
from allennlp.data.instance import Instance
from allennlp.data.samplers.batch_sampler import BatchSampler


@BatchSampler.register("one_task")
class OneTaskBatchSampler(BatchSampler):
    """
    Batches of one task each, in random order. The last batch of a task may be smaller. Rows need a `task` in their
    details, as `fewshot_gym` gives it.

    Registered as a `BatchSampler` with name "one_task".

    # Parameters

    batch_size : `int`
        Rows a batch.
    shuffle : `bool`, optional (default = `True`)
        Off for evaluation: then rows and tasks stay in their order, and no random number is drawn.
    """

    def __init__(self, batch_size: int, shuffle: bool = True) -> None:
        if batch_size < 1:
            raise ConfigurationError(f"one_task: batch_size is {batch_size}; at least one row is needed")
        self.batch_size = batch_size
        self.shuffle = shuffle

    def get_batch_indices(self, instances: Sequence[Instance]) -> Iterable[List[int]]:
        batches = []
        for rows in _by_task(instances).values():
            if self.shuffle:
                random.shuffle(rows)
            batches += [rows[start : start + self.batch_size] for start in range(0, len(rows), self.batch_size)]
        if self.shuffle:
            random.shuffle(batches)
        return batches

    def get_num_batches(self, instances: Sequence[Instance]) -> int:
        return sum(-(-len(rows) // self.batch_size) for rows in _by_task(instances).values())


def _by_task(instances: Sequence[Instance]) -> Dict[str, List[int]]:
    rows: Dict[str, List[int]] = {}
    for number, instance in enumerate(instances):
        details = instance.fields.get("details")
        task = (details.metadata or {}).get("task") if details is not None else None  # type: ignore[attr-defined]
        if task is None:
            raise ConfigurationError("one_task: a row does not say what its task is; read them with `fewshot_gym`")
        rows.setdefault(task, []).append(number)
    return rows
