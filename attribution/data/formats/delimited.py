"""CSV and TSV, every cell as the text that it is."""

from pathlib import Path
from typing import Iterator, List, NamedTuple

from allennlp.common.checks import ConfigurationError

from attribution.common.compression import binary_lines
from attribution.common.rows import Row, RowError, StreamedRows, content_lines

_LINE_ENDS = b"\r\n"


class _Record(NamedTuple):
    """What stands between two line ends that are no text."""

    line: int
    """The first, 1-based; of a faulty quote that in which it opened."""
    cells: List[bytes]
    fault: str = ""


class DelimitedRows(StreamedRows):
    """
    Rows of a file whose first line has the names of its columns. What is in a TSV is never quoted: a line is a row,
    and a quotation mark a character. In a CSV a cell in quotes may have commas, line ends and doubled quotes.

    # Parameters

    path : `Path`
        An existing local file.
    separator : `bytes`
        A comma, for CSV, or a tab.
    compression : `str`, optional (default = `""`)
        One of `COMPRESSIONS`.

    # Raises

    `ConfigurationError` if two columns have the same name.
    """

    def __init__(self, path: Path, separator: bytes, compression: str = "") -> None:
        super().__init__(path)
        self._separator = separator
        self._compression = compression
        header = next(self._records(), _Record(1, []))
        self._names = self._texts(header)
        twice = sorted({name for name in self._names if self._names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"{path}:1: two columns are called {twice[0]!r}; rename one")

    def records(self) -> Iterator[_Record]:
        records = self._records()
        next(records, None)
        yield from records

    def row(self, number: int, record: _Record) -> Row:
        cells = self._texts(record)
        if len(cells) != len(self._names):
            reason = "not as many cells as the first line has names" if any(cells) or cells[1:] else "a blank line"
            raise RowError(self._where(record), reason, f": {len(cells)}, not {len(self._names)}, {cells!r:.200}")
        return Row(number, dict(zip(self._names, cells)), self._where(record))

    def _records(self) -> Iterator[_Record]:
        lines = content_lines(binary_lines(self.path, self._compression), blanks=_LINE_ENDS)
        return _quoted(lines) if self._separator == b"," else _unquoted(lines, self._separator)

    def _texts(self, record: _Record) -> List[str]:
        if record.fault:
            opened = record.cells[0].decode(errors="replace").rstrip()
            raise RowError(self._where(record), record.fault, f": {opened!r:.80}")
        try:
            return [cell.decode() for cell in record.cells]
        except UnicodeDecodeError as error:
            raise RowError(self._where(record), "not UTF-8 text", f" ({error})") from error

    def _where(self, record: _Record) -> str:
        return f"{self.path}:{record.line}"


def _unquoted(lines: Iterator[bytes], separator: bytes) -> Iterator[_Record]:
    for number, line in enumerate(lines, start=1):
        yield _Record(number, _without_end(line).split(separator))


class _Lines:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._given_back: List[bytes] = []
        self.number = 0
        """Of the line that was taken last."""

    def take(self) -> bytes:
        """Empty at the end."""
        line = self._given_back.pop() if self._given_back else next(self._lines, b"")
        self.number += bool(line)
        return line

    def give_back(self, lines: List[bytes]) -> None:
        self._given_back += reversed(lines)
        self.number -= len(lines)


def _quoted(source: Iterator[bytes]) -> Iterator[_Record]:
    """Of a CSV. After a quote that is wrong comes the line after that in which it opened: no line is swallowed."""
    lines = _Lines(source)
    while line := lines.take():
        if b'"' in line:
            yield _with_quotes(line, lines)
        else:
            yield _Record(lines.number, _without_end(line).split(b","))


def _with_quotes(line: bytes, lines: _Lines) -> _Record:
    first, place = lines.number, 0
    cells: List[bytes] = []
    while True:
        if line[place : place + 1] != b'"':
            cell, comma, rest = line[place:].partition(b",")
            cells.append(cell if comma else _without_end(cell))
        else:
            opened = line[place:]
            taken: List[bytes] = []
            parts: List[bytes] = []
            place += 1
            while (end := _closing(line, place)) < 0:
                parts.append(line[place:])
                line, place = lines.take(), 0
                if not line:
                    lines.give_back(taken)
                    return _Record(lines.number, [opened], "a quote that is not closed")
                taken.append(line)
            cells.append(b"".join([*parts, line[place:end]]).replace(b'""', b'"'))
            between, comma, rest = line[end + 1 :].partition(b",")
            if between.strip(_LINE_ENDS):
                lines.give_back(taken)
                return _Record(lines.number, [opened], "a quote that is followed by other text")
        if not comma:
            return _Record(first, cells)
        line, place = rest, 0


def _closing(line: bytes, place: int) -> int:
    """Where the next quote is that is not doubled; -1 if there is none."""
    end = line.find(b'"', place)
    while end >= 0 and line[end + 1 : end + 2] == b'"':
        end = line.find(b'"', end + 2)
    return end


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
