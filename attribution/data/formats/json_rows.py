"""JSON: lines, plain or compressed, and lists, on one line or indented."""

import io
import re
from pathlib import Path
from typing import Any, Iterator, NamedTuple

from allennlp.common.checks import ConfigurationError

from attribution.common.compression import DAMAGED, binary_lines, damaged, open_bytes
from attribution.common.rows import JSON_DECODER, Row, RowError, StreamedRows, content_lines, json_row, object_row

_CHARACTERS = 1 << 20
_BETWEEN = re.compile(r"[\s,]*")


class CompressedJsonlRows(StreamedRows):
    """
    JSON lines of a compressed file.

    # Parameters

    path : `Path`
        An existing local file.
    compression : `str`
        One of `COMPRESSIONS`.
    """

    def __init__(self, path: Path, compression: str) -> None:
        super().__init__(path)
        self._compression = compression

    def records(self) -> Iterator[bytes]:
        return content_lines(binary_lines(self.path, self._compression))

    def row(self, number: int, record: bytes) -> Row:
        return json_row(number, record, self.where(number))


class Element(NamedTuple):
    """One of a JSON list."""

    value: Any
    escaped: bool
    """Whether it has characters written as `\\ud8..`."""


class JsonListRows(StreamedRows):
    """
    The objects of a JSON list, of any length: a part of the file is in memory at a time.

    # Parameters

    path : `Path`
        An existing local file.
    compression : `str`, optional (default = `""`)
        One of `COMPRESSIONS`.
    """

    def __init__(self, path: Path, compression: str = "") -> None:
        super().__init__(path)
        self._compression = compression

    def where(self, number: int) -> str:
        return f"{self.path}: row {number + 1}"

    def row(self, number: int, record: Element) -> Row:
        return object_row(number, record.value, self.where(number), record.escaped)

    def records(self) -> Iterator[Element]:
        number = 0
        try:
            with io.TextIOWrapper(open_bytes(self.path, self._compression), encoding="utf-8-sig", newline="") as file:
                for element in self._elements(file):
                    yield element
                    number += 1
        except UnicodeDecodeError as error:
            raise RowError(self.where(number), "not UTF-8, or soon after it", f" ({error})") from error
        except DAMAGED as error:
            raise damaged(self.path, self._compression, f"after row {number}", error) from error

    def _elements(self, file: io.TextIOWrapper) -> Iterator[Element]:
        """One that does not end in the text at hand is tried again with twice as much."""
        text = ""
        while "[" not in text and (more := file.read(_CHARACTERS)):
            text += more
        place = text.index("[") + 1
        number = 0
        while True:
            between = _BETWEEN.match(text, place)
            place = between.end() if between else place
            if text[place : place + 1] == "]":
                break
            try:
                value, end = JSON_DECODER.raw_decode(text, place)
            except (ValueError, RecursionError) as error:
                more = file.read(max(_CHARACTERS, len(text) - place))
                if not more:
                    raise RowError(self.where(number), "not valid JSON", f" ({error})") from error
                text, place = text[place:] + more, 0
                continue
            yield Element(value, text.find("\\ud", place, end) >= 0)
            place = end
            number += 1
        after = (text[place + 1 :] + file.read(_CHARACTERS)).strip()
        if after:  # None of the rows in it is known, so that they could be counted.
            raise ConfigurationError(
                f"{self.path}: text after the end of the list, which has {number} rows: {after!r:.80}; such a file is "
                "one list, or has an object in each line"
            )
