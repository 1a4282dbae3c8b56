"""Writers of row files that give random access: JSONL with its index beside it, and Parquet."""

import json
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import numpy as np

from attribution.common.rows import OFFSETS, JsonDict

ROWS_PER_GROUP = 10_000

WriteLine = Callable[[bytes], None]
"""Takes one row as JSON, in UTF-8 and without a line end."""


@contextmanager
def jsonl_writer(path: Path) -> Iterator[WriteLine]:
    """Writes `path` and, when the block ends, the offsets of its lines beside it."""
    ends = array("q")
    end = 0

    with path.open("wb") as file:

        def write(line: bytes) -> None:
            nonlocal end
            end += file.write(line + b"\n")
            ends.append(end)

        yield write
    np.save(path.with_name(path.name + OFFSETS), np.frombuffer(ends, dtype=np.int64))


@contextmanager
def parquet_writer(path: Path) -> Iterator[WriteLine]:
    """Writes the pool's own fields as columns, in row groups of `ROWS_PER_GROUP`."""
    import pyarrow
    import pyarrow.parquet

    texts = {name: pyarrow.string() for name in ("input", "target", "task", "template", "id")}
    schema = pyarrow.schema({**texts, "answer_choices": pyarrow.list_(pyarrow.string())})
    group: List[JsonDict] = []
    with pyarrow.parquet.ParquetWriter(path, schema) as file:

        def flush() -> None:
            file.write_table(pyarrow.Table.from_pylist(group, schema), row_group_size=ROWS_PER_GROUP)
            group.clear()

        def write(line: bytes) -> None:
            group.append(json.loads(line))
            if len(group) == ROWS_PER_GROUP:
                flush()

        yield write
        if group:
            flush()


WRITERS: Dict[str, Any] = {"jsonl": jsonl_writer, "parquet": parquet_writer}
