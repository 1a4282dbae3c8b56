"""
ReCross's files (Lin et al., 2022, https://arxiv.org/abs/2204.07937): JSON lists of triples `[input, [references], id]`,
JSON lines `{"input_text", "output_text", "example_id"}`, and query files of triples by number of shots and round.
"""

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, JsonlRows, Row, RowError, Rows, open_rows

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_CHARACTERS = 1 << 20
_BETWEEN = re.compile(r"[\s,]*")


class TripleList(Rows):
    """A JSON list of triples, of any length: a part of the file is in memory at a time."""

    def __len__(self) -> int:
        return sum(1 for _ in self._triples())

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        for number, triple in islice(enumerate(self._triples()), index, None, count):
            yield self._row(number, triple)

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        wanted = set(numbers)
        return (self._row(number, triple) for number, triple in enumerate(self._triples()) if number in wanted)

    def each(self) -> Iterator[Union[Row, RowError]]:
        try:
            for number, triple in enumerate(self._triples()):
                try:
                    yield self._row(number, triple)
                except RowError as error:
                    yield error
        except RowError as error:  # The list itself ends in one: nothing can be read after it.
            yield error

    def where(self, number: int) -> str:
        return f"{self.path}: row {number + 1}"

    def _row(self, number: int, triple: Any) -> Row:
        return Row(number, from_triple(triple, self.where(number)), self.where(number))

    def _triples(self) -> Iterator[Any]:
        """The elements of the list. One that does not end in the text at hand is tried again with twice as much."""
        decode = json.JSONDecoder().raw_decode
        number = 0
        try:
            with self.path.open(encoding="utf-8") as file:
                text = file.read(_CHARACTERS)
                place = text.index("[") + 1
                while True:
                    between = _BETWEEN.match(text, place)
                    place = between.end() if between else place
                    if text[place : place + 1] == "]":
                        return
                    try:
                        triple, place = decode(text, place)
                    except (ValueError, RecursionError) as error:
                        more = file.read(max(_CHARACTERS, len(text) - place))
                        if not more:
                            raise RowError(self.where(number), "not valid JSON", f" ({error})") from error
                        text, place = text[place:] + more, 0
                        continue
                    yield triple
                    number += 1
        except UnicodeDecodeError as error:
            raise RowError(self.where(number), "not UTF-8, or soon after it", f" ({error})") from error


class QueryTriples(TripleList):
    """
    The triples of one round of a query file.

    # Parameters

    path : `Path`
        The file.
    triples : `List[Any]`
        What it has for the round.
    place : `str`
        Which round that is, for messages.
    """

    def __init__(self, path: Path, triples: List[Any], place: str) -> None:
        super().__init__(path)
        self._listed = triples
        self._place = place

    def where(self, number: int) -> str:
        return f"{self.path}: {self._place}, row {number + 1}"

    def _triples(self) -> Iterator[Any]:
        return iter(self._listed)


class TripleLines(JsonlRows):
    """JSON lines `{"input_text", "output_text", "example_id"}`, the last of which may be missing."""

    def _parse(self, number: int, line: bytes) -> Row:
        row = super()._parse(number, line)
        return row._replace(content=_from_line(row))


def open_triples(path: Union[str, Path], shots: Optional[int] = None, round: int = 0) -> Rows:
    """
    The rows of a file of any of the three kinds: `input`, `target` (the first reference), `references` and, where the
    row has an id, `task`, `split`, `template` and `id`.

    # Parameters

    path : `Union[str, Path]`
        The file.
    shots : `int`, optional
        The file is a query file: the first so many rows of a round. Where the file has no such number of shots they
        are the beginning of the next larger one.
    round : `int`, optional (default = `0`)
        Which round of a query file.

    # Raises

    `ConfigurationError` for a missing file, a Git LFS pointer or a query file without these shots or this round.
    """
    rows = open_rows(path)
    if not isinstance(rows, JsonlRows):
        raise ConfigurationError(f"{path}: not a JSON file; triples are a JSON list or JSON lines, not compressed")
    with rows.path.open("rb") as file:
        start = file.read(200).lstrip()
    if start.startswith(_LFS_POINTER):
        raise ConfigurationError(
            f"{path}: a Git LFS pointer, not the data; fetch it with `git lfs install && git lfs pull` in the "
            "repository that it is from"
        )
    if shots is not None:
        return _query_rows(rows.path, shots, round)
    if start.startswith(b"{") and not start.splitlines()[0].strip(b"{ "):
        raise ConfigurationError(f"{path}: an object of several lines; if it is a query file, say `shots` and `round`")
    return TripleList(rows.path) if start.startswith(b"[") else TripleLines(rows.path)


def from_triple(triple: Any, where: str) -> JsonDict:
    """
    The row of a triple.

    # Raises

    `RowError` if it is none, or its id is not `dataset|split|template|#number`.
    """
    if not isinstance(triple, list) or len(triple) != 3:
        raise RowError(where, "not a triple [input, [references], id]", f", but {triple!r:.80}")
    text, references, name = triple
    if not isinstance(text, str):
        raise RowError(where, "the input is not a text", f", but {text!r:.80}")
    if not isinstance(references, list) or not references or not all(isinstance(one, str) for one in references):
        raise RowError(where, "the references are not a list of texts, at least one", f", but {references!r:.80}")
    fields = name.split("|") if isinstance(name, str) else []
    if len(fields) != 4:
        raise RowError(where, "the id is not `dataset|split|template|#number`", f", but {name!r:.80}")
    task, split, template, _ = fields
    labels = {"task": task, "split": split, "template": template, "id": name}
    return {"input": text, "target": references[0], "references": references, **labels}


def plain_input(row: Row) -> str:
    """A row's input, to compare: each run of white space is one space."""
    return " ".join(row.content["input"].split())


def _from_line(row: Row) -> JsonDict:
    content = row.content
    for field in ("input_text", "output_text"):
        if not isinstance(content.get(field), str):
            hint = "; a query file needs `shots` and `round`" if all(key.isdigit() for key in content) else ""
            raise RowError(row.where, f"`{field}` is missing or not a text", f"; the row has {sorted(content)}{hint}")
    if content.get("example_id") is not None:
        return from_triple([content["input_text"], [content["output_text"]], content["example_id"]], row.where)
    return {
        "input": content["input_text"],
        "target": content["output_text"],
        "references": [content["output_text"]],
    }


def _query_rows(path: Path, shots: int, round: int) -> Rows:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(content, dict) or not all(key.isdigit() for key in content):
        raise ConfigurationError(
            f"{path}: not a query file {{shots: {{'round#k': [triples]}}}}; leave out `shots` for a file of triples"
        )
    enough = sorted(int(key) for key in content if int(key) >= shots)
    if not enough:
        raise ConfigurationError(f"{path}: `shots` is {shots}; there are {', '.join(sorted(content, key=int))}")
    rounds: Dict[str, Any] = content[str(enough[0])]
    triples = rounds.get(f"round#{round}") if isinstance(rounds, dict) else None
    if not isinstance(triples, list):
        raise ConfigurationError(f"{path}: {enough[0]} shots have no list 'round#{round}'; there is {rounds!r:.100}")
    if len(triples) < shots:
        raise ConfigurationError(f"{path}: round#{round} of {enough[0]} shots has {len(triples)} rows; lower `shots`")
    return QueryTriples(path, triples[:shots], f"{enough[0]} shots, round#{round}")
