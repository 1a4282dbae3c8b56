"""Files of the Few-shot Gym: TSV whose lines are an input and its answers, without names of columns."""

import re
from pathlib import Path
from typing import Iterator

from attribution.common.compression import binary_lines
from attribution.common.rows import Row, StreamedRows, content_lines
from attribution.data.few_shot_gym import SPLITS, parse_line

_NAME = re.compile(rf"(?P<task>.+?)_(\d+_\d+|fulldata)_({'|'.join(SPLITS)})\.tsv")


class GymRows(StreamedRows):
    """
    Rows `{input, target, references, task}`.

    # Parameters

    path : `Path`
        An existing local file.
    task : `str`
        What its rows are of.
    compression : `str`, optional (default = `""`)
        One of `COMPRESSIONS`.
    """

    def __init__(self, path: Path, task: str, compression: str = "") -> None:
        super().__init__(path)
        self._task = task
        self._compression = compression

    def records(self) -> Iterator[bytes]:
        return content_lines(binary_lines(self.path, self._compression), blanks=b"\r\n")

    def row(self, number: int, record: bytes) -> Row:
        line = parse_line(record, self.where(number))
        content = {"input": line.input, "target": line.answers[0], "references": line.answers, "task": self._task}
        return Row(number, content, self.where(number))


def gym_task(name: str) -> str:
    """The task of a file of such a name, `{task}_{shots}_{seed}_{split}.tsv`; empty for other names."""
    found = _NAME.fullmatch(name)
    return found["task"] if found else ""
