"""Lines of a text file, plain or gzipped, each with its place."""

from pathlib import Path
from typing import Iterator, NamedTuple, Union

from attribution.common.rows import RowError, gzip_lines, local_file


class Line(NamedTuple):
    """One line of a file."""

    text: str
    """Without its end."""
    where: str
    """`file:line` (1-based, as editors count), for messages."""


def read_lines(path: Union[str, Path]) -> Iterator[Line]:
    """
    The lines of a UTF-8 file, one at a time. A file that ends in `.gz` is gzipped, a URL is downloaded once.

    # Raises

    `ConfigurationError` if the file is missing, is a directory, is empty or is no such text.
    """
    local = local_file(path)
    lines = gzip_lines(local) if str(path).endswith(".gz") else _plain_lines(local)
    for number, line in enumerate(lines, start=1):
        where = f"{local}:{number}"
        try:
            yield Line(line.decode("utf-8").rstrip("\r\n"), where)
        except UnicodeDecodeError as error:
            raise RowError(where, "not UTF-8 text", f" ({error})") from error


def _plain_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
