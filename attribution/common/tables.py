"""Tables for the eye and for spreadsheets: CSV, or TSV by the file's name."""

import csv
import re
from pathlib import Path
from typing import Iterable, Iterator, List, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.common.port import writing_beside

from attribution.common.rows import RowError

# What a spreadsheet takes for a formula, which can run programs, or what was kept from that.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """
    Writes a table beside its place and renames it. A text that a spreadsheet would take for a formula has a `'` before
    it, as spreadsheets write it themselves; `read_table` takes it away.
    """
    with writing_beside(path) as beside, open(beside, "w", encoding="utf-8", newline="") as file:
        plain = csv.writer(file, delimiter=_delimiter(path), lineterminator="\n")
        quoted = csv.writer(file, delimiter=_delimiter(path), lineterminator="\n", quoting=csv.QUOTE_ALL)
        for row in rows:
            # A bare carriage return is not quoted otherwise, and would end the line.
            writer = quoted if any("\r" in cell for cell in row) else plain
            writer.writerow([_shielded(cell) for cell in row])


def read_table(path: Path) -> Iterator[Tuple[str, List[str]]]:
    """
    What `write_table` wrote: where each row is (`file:line`), and its cells.

    # Raises

    `ConfigurationError` if it is no such table.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter=_delimiter(path), strict=True)
        try:
            for row in reader:
                yield f"{path}:{reader.line_num}", [cell[1:] if _is_shielded(cell) else cell for cell in row]
        except csv.Error as error:
            raise RowError(f"{path}:{reader.line_num}", "not CSV", f" ({error})") from error
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path}: not UTF-8 text ({error})") from error


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix == ".tsv" else ","


def _shielded(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) and not _is_number(cell) else cell


def _is_shielded(cell: str) -> bool:
    return cell.startswith("'") and _FORMULA.match(cell) is not None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell == cell.strip()
