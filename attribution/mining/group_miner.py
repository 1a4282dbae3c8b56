"""Tuples from groups of tasks: rows of one group help each other."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
from attribution.mining.tuple_miner import MinedTuple, TupleMiner, check_counts, rows_by_task
from attribution.retrievers import Pool


@TupleMiner.register("groups")
class GroupMiner(TupleMiner):
    """
    For each tuple a group is drawn, and a task in it: queries are rows of that task, positive rows are of other tasks
    of the group, negative ones of tasks of other groups, each row from a task that is drawn for it. ReCross's first
    supervision (Lin et al., 2022, https://arxiv.org/abs/2204.07937).

    Registered as a `TupleMiner` with name "groups".

    # Parameters

    groups : `Dict[str, List[str]]`
        The tasks of each group. Tasks that the pool does not have are left out, and counted.
    size : `int`, optional (default = `30000`)
        Tuples of tasks that are not reserved.
    reserved : `List[str]`, optional
        Groups or tasks whose rows are in test tuples only.
    reserved_size : `int`, optional (default = `3000`)
        Test tuples, if something is reserved. Their rows are of reserved tasks only.
    queries, positives, negatives : `int`, optional (default = `8`)
        Rows of a tuple. A task with fewer rows than `queries` has no queries, and is counted.
    seed : `int`, optional (default = `0`)
    """

    def __init__(
        self,
        groups: Dict[str, List[str]],
        size: int = 30000,
        reserved: Optional[List[str]] = None,
        reserved_size: int = 3000,
        queries: int = 8,
        positives: int = 8,
        negatives: int = 8,
        seed: int = 0,
    ) -> None:
        check_counts(
            "groups", size=size, reserved_size=reserved_size, queries=queries, positives=positives, negatives=negatives
        )
        self.groups = groups
        self.reserved = _reserved_tasks(groups, reserved or [])
        self.sizes = {False: size, True: reserved_size if reserved else 0}
        self.queries = queries
        self.positives = positives
        self.negatives = negatives
        self.seed = seed
        self._about: Dict[str, Any] = {}

    def about(self) -> Dict[str, Any]:
        """Which tasks are not in the pool, and which have too few rows for queries."""
        return self._about

    def mine(self, pool: Pool, directory: Path, engine: Engine) -> Iterator[MinedTuple]:
        rows = rows_by_task(pool)
        listed = [task for tasks in self.groups.values() for task in tasks]
        few = [task for task in listed if task in rows and len(rows[task]) < self.queries]
        missing = [task for task in listed if task not in rows]
        self._about = {"tasks_not_in_the_pool": missing, "tasks_with_too_few_rows_for_queries": few}
        for reserved, size in self.sizes.items():
            groups = {
                name: [task for task in tasks if task in rows and (task in self.reserved) == reserved]
                for name, tasks in self.groups.items()
            }
            groups = {name: tasks for name, tasks in groups.items() if tasks}
            asked = {name: [task for task in tasks if task not in few] for name, tasks in groups.items()}
            possible = [name for name, tasks in groups.items() if len(tasks) > 1 and asked[name]]
            if size and (len(groups) < 2 or not possible):
                way = "leave out `reserved` (RESERVED_SIZE=0)" if reserved else "give `groups` of the pool's own tasks"
                raise ConfigurationError(
                    f"groups: {'reserved' if reserved else 'other'} tasks of the pool are {groups}; two groups are "
                    f"needed, and in one of them two tasks, one with at least {self.queries} rows. With a part of the "
                    f"upstream tasks {way}, or mine by loss (`loss`), which needs no groups"
                )
            generator = np.random.default_rng([self.seed, reserved])
            for _ in range(size):
                yield self._draw(groups, asked, possible, rows, reserved, generator)

    def _draw(
        self,
        groups: Dict[str, List[str]],
        asked: Dict[str, List[str]],
        possible: List[str],
        rows: Dict[str, np.ndarray],
        reserved: bool,
        generator: np.random.Generator,
    ) -> MinedTuple:
        def one(of: List[str]) -> str:
            return of[generator.integers(len(of))]

        group = one(possible)
        task = one(asked[group])
        near = [other for other in groups[group] if other != task]
        far = [name for name in groups if name != group]
        positives = [int(generator.choice(rows[one(near)])) for _ in range(self.positives)]
        negatives = [int(generator.choice(rows[one(groups[one(far)])])) for _ in range(self.negatives)]
        queries = generator.choice(rows[task], self.queries, replace=False).tolist()
        return MinedTuple(task, queries, positives, negatives, reserved)


def _reserved_tasks(groups: Dict[str, List[str]], reserved: List[str]) -> Set[str]:
    tasks = {task for listed in groups.values() for task in listed}
    unknown = [name for name in reserved if name not in groups and name not in tasks]
    if unknown:
        raise ConfigurationError(f"groups: reserved names {unknown[0]!r}; the groups are {sorted(groups)}")
    return {task for name in reserved for task in groups.get(name, [name])}
