"""Rows set aside on disk while it is being decided which of them are wanted, and in what order."""

import os
import tempfile
from array import array
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Optional, Type


class StoredRow(NamedTuple):
    """One row of a `RowStore`."""

    line: bytes
    """The row as JSON, in UTF-8."""
    where: str
    """`file:line` that it came from, for messages."""


class RowStore:
    """
    A file of rows without a name: its space is free again when the process ends, however it ends. In memory there are 8
    bytes a row.

    # Parameters

    folder : `Path`
        Whose disk to use.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  __exit__ closes it.
        self._ends = array("q", [0])

    def __enter__(self) -> "RowStore":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, row: StoredRow) -> None:
        # JSON has no bare tab.
        self._ends.append(self._ends[-1] + self._file.write(b"%b\t%b" % (os.fsencode(row.where), row.line)))

    def finish(self) -> None:
        """To be called between the last `append` and the first row that is read."""
        self._file.flush()

    def __getitem__(self, number: int) -> StoredRow:
        start, end = self._ends[number], self._ends[number + 1]
        where, _, line = os.pread(self._file.fileno(), end - start, start).rpartition(b"\t")
        return StoredRow(line, os.fsdecode(where))
