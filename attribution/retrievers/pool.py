"""The prompted examples that training rows are retrieved from."""

import hashlib
import logging
from collections import Counter
from copy import copy
from pathlib import Path
from typing import FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.common.util import lazy_groups_of

from attribution.common.manifest import Identity, fingerprint
from attribution.common.rows import Row, Rows, label_of
from attribution.data.layouts import open_prompted_rows
from attribution.data.wrong_answers import NOT_CORRECT, is_wrong_answer

logger = logging.getLogger(__name__)

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
    A file of prompted rows `{"input": str, "target": str, "task": str, ...}`, or a folder of such files. A row's number
    is its id. Rows that `is_correct` marks as wrong answers are never retrieved, but counted.

    # Parameters

    path : `str`
        A file of any format and layout that is read, or a folder of such files, one after the other by their names.
    exclude_tasks : `List[str]`, optional
        Rows whose `task` is one of these are never retrieved: the target's own data, say.
    """

    def __init__(self, path: str, exclude_tasks: Optional[List[str]] = None) -> None:
        self.path = path
        self.exclude_tasks = frozenset(exclude_tasks or ())
        self.rows: Rows = open_prompted_rows(path)
        if not len(self.rows):
            raise ConfigurationError(f"{path}: has no rows")
        self._removed_tasks: FrozenSet[str] = frozenset()
        self._among: Optional[Sequence[int]] = None
        self._with_wrong_answers = False
        # One for all parts of a pool.
        self._rows_of_task: "Counter[str]" = Counter()
        self._left_out: "Counter[str]" = Counter()

    @property
    def tasks(self) -> "Counter[str]":
        """How many rows of each task may be retrieved: known once `texts` has gone by, here or in a part."""
        left_out = self.exclude_tasks | self._removed_tasks
        return Counter({task: rows for task, rows in self._rows_of_task.items() if task not in left_out})

    @property
    def wrong_answers(self) -> int:
        """How many rows are left out as such: known once `texts` has gone by."""
        return self._left_out[NOT_CORRECT]

    @property
    def files(self) -> List[Path]:
        """Where its rows are."""
        return self.rows.files()

    def among(self, ids: Sequence[int]) -> "Pool":
        """The same pool, of which only rows with these ids (in any order) may be retrieved."""
        part = copy(self)
        part._among = sorted(set(ids))
        return part

    def without_tasks(self, tasks: Iterable[str]) -> "Pool":
        """The same pool less the rows of these tasks, which need not be in it."""
        part = copy(self)
        part._removed_tasks |= frozenset(tasks)
        return part

    def whole(self) -> "Pool":
        """The same pool with all of its rows."""
        whole = copy(self)
        whole.exclude_tasks, whole._removed_tasks, whole._among = frozenset(), frozenset(), None
        whole._with_wrong_answers = True
        return whole

    def identity(self) -> Identity:
        """Its content: what an index of it depends on."""
        contents = [fingerprint(file) for file in self.files]
        digests = [content["sha256"] for content in contents]
        joined = hashlib.sha256("".join(digests).encode()).hexdigest()
        size = sum(content["bytes"] for content in contents)
        return {"bytes": size, "sha256": digests[0] if len(digests) == 1 else joined}

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

        `ConfigurationError` if a row has no `input` or `target`, an excluded task is in no row, or no row is left.
        """
        if self._among is not None:
            for row in Tqdm.tqdm(self.rows.take(self._among), desc=progress, unit="row", total=len(self._among)):
                text = _pool_text(row)
                if text.task not in self._removed_tasks:
                    yield text
            return
        tasks: "Counter[str]" = Counter()
        left = wrong_answers = 0
        for row in Tqdm.tqdm(self.rows, desc=progress, unit="row", total=len(self.rows)):
            text = _pool_text(row)
            wrong = is_wrong_answer(row.content)
            wrong_answers += wrong
            tasks[text.task] += not wrong
            if wrong and not self._with_wrong_answers:
                continue
            if text.task not in self.exclude_tasks and text.task not in self._removed_tasks:
                left += 1
                yield text
        self._rows_of_task.update({task: rows for task, rows in tasks.items() if task not in self._rows_of_task})
        self._count_wrong_answers(wrong_answers)
        unknown = sorted(self.exclude_tasks - set(tasks))
        if unknown:
            raise ConfigurationError(f"{self.path}: exclude_tasks names {unknown}; the tasks there are {sorted(tasks)}")
        if not left:
            excluded = sorted(self.exclude_tasks | self._removed_tasks)
            raise ConfigurationError(
                f"{self.path}: no row is left but those of the excluded tasks {excluded}, and {wrong_answers} rows "
                f"{NOT_CORRECT}"
            )

    def _count_wrong_answers(self, rows: int) -> None:
        if rows and not self.wrong_answers:
            logger.warning("%s: %d rows are left out: %s", self.path, rows, NOT_CORRECT)
        self._left_out[NOT_CORRECT] = rows


def _pool_text(row: Row) -> PoolText:
    text, target = row.content.get("input"), row.content.get("target")
    if not isinstance(text, str) or not text.strip() or not isinstance(target, str):
        raise ConfigurationError(
            f"{row.where}: a pool row needs texts under 'input' and 'target'; there are {sorted(row.content)}. "
            "allennlp build-pool can leave such rows out and count them"
        )
    task, template = (label_of(row, key) for key in ("task", "template"))
    return PoolText(row.number, text, task, template)
