"""
ReCross's files (Lin et al., 2022, https://arxiv.org/abs/2204.07937): JSON lists of triples `[input, [references], id]`,
JSON lines `{"input_text", "output_text", "example_id"}`, and query files of triples by number of shots and round.
"""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import BYTE_ORDER_MARK, JsonDict, JsonlRows, Row, RowError, Rows, local_file
from attribution.data.formats.json_rows import Element, JsonListRows

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class TripleList(JsonListRows):
    """A JSON list of triples."""

    def row(self, number: int, record: Element) -> Row:
        return Row(number, from_triple(record.value, self.where(number)), self.where(number))


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

    def records(self) -> Iterator[Element]:
        return (Element(triple, escaped=False) for triple in self._listed)


class TripleLines(JsonlRows):
    """JSON lines `{"input_text", "output_text", "example_id"}`, the last of which may be missing."""

    def row(self, number: int, record: bytes) -> Row:
        row = super().row(number, record)
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
    local = local_file(path, ".json or .jsonl")
    if not str(path).endswith((".json", ".jsonl")):
        raise ConfigurationError(f"{path}: not a JSON file; triples are a JSON list or JSON lines, not compressed")
    with local.open("rb") as file:
        start = file.read(200).removeprefix(BYTE_ORDER_MARK).lstrip()
    if start.startswith(_LFS_POINTER):
        raise ConfigurationError(
            f"{path}: a Git LFS pointer, not the data; fetch it with `git lfs install && git lfs pull` in the "
            "repository that it is from"
        )
    if shots is not None:
        return _query_rows(local, shots, round)
    if start.startswith(b"{") and not start.splitlines()[0].strip(b"{ "):
        raise ConfigurationError(f"{path}: an object of several lines; if it is a query file, say `shots` and `round`")
    return TripleList(local) if start.startswith(b"[") else TripleLines(local)


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
        content = json.loads(path.read_bytes())
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
