"""The rows of all sources of a pool, before it is decided which of them the pool has, and what became of each."""

import hashlib
from array import array
from collections import Counter
from typing import Any, Dict, List, Tuple

import numpy as np

from attribution.common.json_lines import json_line
from attribution.common.row_store import RowStore, StoredRow
from attribution.common.rows import RowError
from attribution.data.pool_sources import PoolRow
from attribution.data.row_choice import Digests


class SourceCounts:
    """What became of one source's rows: each is in the pool or dropped for one reason."""

    def __init__(self, name: str, first: int) -> None:
        self.name = name
        self.first = first
        """The number of its first row among all that were gathered."""
        self.read = 0
        self.long = 0
        self.dropped: "Counter[str]" = Counter()
        self.digest = hashlib.sha256()


class GatheredPool:
    """
    Rows by their number, the order in which they came. Their text is in `store`; in memory there are some 45 bytes of
    each, and no object.

    # Parameters

    store : `RowStore`
        An empty one.
    compare : `bool`
        Whether `contents` will be needed.
    """

    def __init__(self, store: RowStore, compare: bool) -> None:
        self.store = store
        self.sources: List[SourceCounts] = []
        self.tasks: "Counter[str]" = Counter()
        """Rows by task, those of unwanted tasks included."""
        self.ids = Digests()
        self.contents = Digests()
        """Of input and target together."""
        self._compare = compare
        self._kinds: Dict[Tuple[str, str], int] = {}
        self._kind = array("i")

    def begin(self, name: str) -> SourceCounts:
        """The rows appended from now on come from the source of this name."""
        self.sources.append(SourceCounts(name, len(self.store)))
        return self.sources[-1]

    def append(self, row: PoolRow) -> None:
        """
        # Raises

        `RowError` if the row cannot be written.
        """
        try:
            line = json_line(row.content, row.where).encode()
        except UnicodeEncodeError as error:
            raise RowError(row.where, "cannot be written as JSON", f" ({error})") from error
        self.sources[-1].digest.update(line + b"\n")
        self.store.append(StoredRow(line, row.where))
        kind = row.content["task"], row.content["template"]
        self._kind.append(self._kinds.setdefault(kind, len(self._kinds)))
        self.ids.append(row.content["id"])
        if self._compare:
            self.contents.append(row.content["input"], row.content["target"])

    def task_numbers(self) -> np.ndarray:
        """
        A number for each row: equal where the tasks are.

        Shape: (rows,)
        """
        tasks = {task: number for number, task in enumerate(dict.fromkeys(task for task, _template in self._kinds))}
        of_kind = np.array([tasks[task] for task, _template in self._kinds], dtype=np.int32)
        return of_kind[np.frombuffer(self._kind, dtype=np.int32)]

    def drop(self, numbers: np.ndarray, reason: str) -> None:
        """Counts these rows as dropped."""
        for source, count in zip(self.sources, self._by_source(numbers)):
            if count:
                source.dropped[reason] += count

    def report(self, chosen: np.ndarray, long: int) -> Dict[str, Any]:
        """What the pool of the `chosen` rows is made of; inputs of more than `long` characters were counted as such."""
        counts = np.bincount(np.frombuffer(self._kind, dtype=np.int32)[chosen], minlength=len(self._kinds)).tolist()
        tasks: Dict[str, Dict[str, Any]] = {}
        for (task, template), count in sorted(zip(self._kinds, counts)):
            if count:
                entry = tasks.setdefault(task, {"rows": 0, "templates": {}})
                entry["rows"] += count
                entry["templates"][template] = count
        sources = [
            {
                "name": source.name,
                "rows_read": source.read,
                "rows_taken": taken,
                "rows_dropped": dict(sorted(source.dropped.items())),
                f"inputs_over_{long}_characters": source.long,
                "sha256": source.digest.hexdigest(),
            }
            for source, taken in zip(self.sources, self._by_source(chosen))
        ]
        return {"rows": len(chosen), "tasks": tasks, "sources": sources}

    def _by_source(self, numbers: np.ndarray) -> List[int]:
        firsts = [source.first for source in self.sources]
        owners = np.searchsorted(firsts, numbers, side="right") - 1  # An empty source shares its first number.
        return np.bincount(owners, minlength=len(firsts)).tolist()
