"""Which part of a file one process reads."""

from typing import Tuple

from allennlp.data.dataset_readers.dataset_reader import DatasetReader


def shard_of(reader: DatasetReader) -> Tuple[int, int]:
    """
    This process's (index, count) among all ranks and their loader workers. AllenNLP's `shard_iterable` asks torch for
    the rank, which a worker process that was spawned does not know.
    """
    ranks, workers = reader.get_distributed_info(), reader.get_worker_info()
    rank, num_ranks = (ranks.global_rank, ranks.world_size) if ranks else (0, 1)
    worker, num_workers = (workers.id, workers.num_workers) if workers else (0, 1)
    return rank * num_workers + worker, num_ranks * num_workers
