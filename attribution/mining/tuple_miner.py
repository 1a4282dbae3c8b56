"""Which rows help which queries: what rerankers learn from, without a label of anybody's."""

from abc import abstractmethod
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

import numpy as np
from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.retrievers import Pool


class MinedTuple(NamedTuple):
    """Rows of the pool, by their numbers."""

    task: str
    """That of the queries."""
    queries: List[int]
    positives: List[int]
    """Rows that help them."""
    negatives: List[int]
    """Rows that do not."""
    reserved: bool = False
    """Whether it is for a test: of tasks that no other tuple has."""


class TupleMiner(Registrable):
    """Base of what makes tuples of queries, positive and negative rows (Lin et al., 2022, section 3.3)."""

    def identity(self) -> Identity:
        """What the tuples depend on beside the settings: the models that they name."""
        return {}

    def about(self) -> Dict[str, Any]:
        """What a user should know of the last mining, as plain JSON: what was left out, and why."""
        return {}

    @abstractmethod
    def mine(self, pool: Pool, directory: Path, engine: Engine) -> Iterator[MinedTuple]:
        """
        # Parameters

        directory : `Path`
            For what a killed process goes on from, and for what is kept beside the tuples.
        """


def rows_by_task(pool: Pool) -> Dict[str, np.ndarray]:
    """The numbers of the rows that may be used, in file order, int64."""
    rows: Dict[str, List[int]] = defaultdict(list)
    for row in pool.texts("reading the pool's tasks"):
        rows[row.task].append(row.id)
    return {task: np.array(numbers) for task, numbers in rows.items() if task}


def check_counts(name: str, **counts: int) -> None:
    for setting, count in counts.items():
        if count < 1:
            raise ConfigurationError(f"{name}: {setting} is {count}; at least one is needed")
