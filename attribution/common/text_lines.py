"""Lines of a text file, plain or compressed, each with its place."""

from pathlib import Path
from typing import Iterator, NamedTuple, Union

from attribution.common.compression import binary_lines, split_compression
from attribution.common.rows import BYTE_ORDER_MARK, RowError, local_file


class Line(NamedTuple):
    """One line of a file."""

    text: str
    """Without its end."""
    where: str
    """`file:line` (1-based, as editors count), for messages."""


def read_lines(path: Union[str, Path]) -> Iterator[Line]:
    """
    The lines of a UTF-8 file, one at a time. Its ending says whether it is compressed, a URL is downloaded once.

    # Raises

    `ConfigurationError` if the file is missing, is a directory, is empty or is no such text.
    """
    local = local_file(path)
    for number, line in enumerate(binary_lines(local, split_compression(str(path))[1]), start=1):
        where = f"{local}:{number}"
        try:
            yield Line((line if number > 1 else line.removeprefix(BYTE_ORDER_MARK)).decode().rstrip("\r\n"), where)
        except UnicodeDecodeError as error:
            raise RowError(where, "not UTF-8 text", f" ({error})") from error
