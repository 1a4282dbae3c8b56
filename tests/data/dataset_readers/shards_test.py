from typing import Tuple

import pytest
from allennlp.data import DatasetReader
from allennlp.data.dataset_readers.dataset_reader import DistributedInfo, WorkerInfo

from attribution.data.dataset_readers.shards import shard_of


@pytest.mark.parametrize(
    "rank, worker, share",
    [(None, None, (0, 1)), ((2, 1), None, (1, 2)), (None, (3, 2), (2, 3)), ((2, 1), (3, 2), (5, 6))],
)
def test_a_process_among_ranks_and_workers(rank: Tuple[int, int], worker: Tuple[int, int], share: Tuple) -> None:
    reader = DatasetReader()
    if rank:
        reader._set_distributed_info(DistributedInfo(*rank))
    if worker:
        reader._set_worker_info(WorkerInfo(*worker))
    assert shard_of(reader) == share
