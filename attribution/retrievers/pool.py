"""The prompted examples that training rows are retrieved from."""

from collections import Counter
from copy import copy
from typing import Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.common.util import lazy_groups_of

from attribution.common.artefacts import Identity, fingerprint
from attribution.common.rows import Row, Rows, open_rows

ROWS_PER_PART = 4096


class PoolText(NamedTuple):
    """What a retriever sees of a pool row."""

    id: int
    """The row's number in the pool's file."""
    text: str
    """Its prompt."""
    task: str
    """Its data set; empty where the row does not say."""
    template: str
    """The wording of its prompt; empty where the row does not say."""


class PoolPart(NamedTuple):
    """Consecutive rows that may be retrieved: what an engine's worker gets at once."""

    ids: np.ndarray
    """int64. Shape: (rows,)."""
    texts: List[str]


class Pool(FromParams):
    """
    A file of prompted rows `{"input": str, "target": str, "task": str, ...}`. A row's number is its id.

    # Parameters

    path : `str`
        A JSONL, JSONL.gz or Parquet file.
    exclude_tasks : `List[str]`, optional
        Rows whose `task` is one of these are never retrieved: the target's own data, say.
    """

    def __init__(self, path: str, exclude_tasks: Optional[List[str]] = None) -> None:
        self.path = path
        self.exclude_tasks = frozenset(exclude_tasks or ())
        self.rows: Rows = open_rows(path)
        if not len(self.rows):
            raise ConfigurationError(f"{path}: has no rows")
        self.tasks: "Counter[str]" = Counter()
        """How many rows of each task may be retrieved: known once `texts` has gone by."""
        self._among: Optional[Sequence[int]] = None

    def among(self, ids: Sequence[int]) -> "Pool":
        """The same pool, of which only rows with these ids (different, in any order) may be retrieved."""
        part = copy(self)
        part._among = sorted(ids)
        return part

    def whole(self) -> "Pool":
        """The same pool with all of its rows."""
        whole = copy(self)
        whole.exclude_tasks, whole._among = frozenset(), None
        return whole

    def identity(self) -> Identity:
        """Its content: what an index of it depends on."""
        content = fingerprint(self.rows.path)
        return {key: content[key] for key in ("bytes", "sha256")}

    def ids(self, progress: str) -> np.ndarray:
        """The numbers of the rows that may be retrieved, in file order, int64."""
        return np.fromiter((row.id for row in self.texts(progress)), dtype=np.int64)

    def parts(self, progress: str) -> Iterator[PoolPart]:
        """The rows that may be retrieved, so many at a time, in file order."""
        for rows in lazy_groups_of(self.texts(progress), ROWS_PER_PART):
            yield PoolPart(np.array([row.id for row in rows]), [row.text for row in rows])

    def texts(self, progress: str) -> Iterator[PoolText]:
        """
        The rows that may be retrieved, in file order, with a progress bar that says what is being done.

        # Raises

        `ConfigurationError` if a row has no `input`, an excluded task is in no row, or no row is left.
        """
        if self._among is not None:
            for row in Tqdm.tqdm(self.rows.take(self._among), desc=progress, unit="row", total=len(self._among)):
                yield _pool_text(row)
            return
        tasks: "Counter[str]" = Counter()
        left = 0
        for row in Tqdm.tqdm(self.rows, desc=progress, unit="row", total=len(self.rows)):
            text = _pool_text(row)
            tasks[text.task] += 1
            if text.task not in self.exclude_tasks:
                left += 1
                yield text
        self.tasks = Counter({task: rows for task, rows in tasks.items() if task not in self.exclude_tasks})
        unknown = sorted(self.exclude_tasks - set(tasks))
        if unknown:
            raise ConfigurationError(f"{self.path}: exclude_tasks names {unknown}; the tasks there are {sorted(tasks)}")
        if not left:
            raise ConfigurationError(f"{self.path}: no row is left after exclude_tasks {sorted(self.exclude_tasks)}")


def _pool_text(row: Row) -> PoolText:
    text = row.content.get("input")
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(
            f"{row.where}: a pool row needs a text under 'input'; there are {sorted(row.content)}. "
            "allennlp build-pool can leave such rows out and count them"
        )
    task, template = (str(row.content.get(key) or "") for key in ("task", "template"))
    return PoolText(row.number, text, task, template)
