"""Files of rows as they should not be, or as few expect them: each writes one into a folder and says what it holds."""

import bz2
import gzip
import json
import random
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import pyarrow
import pyarrow.parquet

ROWS = 8
GOOD: List[Dict[str, Any]] = [
    {
        "id": f"r{number}",
        "text": f"{'good' if number % 2 else 'bad'} movie {number}",
        "label": number % 2,
        "input": f"the film {number} was {'good' if number % 2 else 'bad'} ?",
        "target": "yes" if number % 2 else "no",
        "answer_choices": ["no", "yes"],
    }
    for number in range(ROWS)
]
_TEXTS = [{key: str(value) for key, value in row.items() if key != "answer_choices"} for row in GOOD]
"""What a table of texts can hold of them."""


class BadFile(NamedTuple):
    """One way in which a file of rows is not as it should be."""

    name: str
    ending: str
    write: Callable[[Path], None]
    rows: Optional[int] = None
    """How many it holds, if that can be said; `LINES` if its lines say so."""
    sound: bool = False
    """Whether there is nothing wrong with it: then it must be read."""


LINES = -1


def held(kind: BadFile, path: Path) -> Optional[int]:
    """The number of rows in the file, counted without this package."""
    if kind.rows != LINES:
        return kind.rows
    lines = sum(bool(line.strip()) for line in path.read_bytes().split(b"\n"))
    return lines - (path.suffix in (".csv", ".tsv"))


def _jsonl(rows: List[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _table(rows: List[Dict[str, str]], separator: str) -> bytes:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(separator.join(line) + "\n" for line in lines).encode()


def _parquet(rows: List[Dict[str, Any]]) -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue())


def _zst(content: bytes) -> bytes:
    return bytes(pyarrow.Codec("zstd").compress(content, asbytes=True))


CONTENT = {
    ".jsonl": _jsonl(GOOD),
    ".json": json.dumps(GOOD, indent=1).encode(),
    ".csv": _table(_TEXTS, ","),
    ".tsv": _table(_TEXTS, "\t"),
    ".parquet": _parquet(GOOD),
    ".jsonl.gz": gzip.compress(_jsonl(GOOD)),
    ".jsonl.bz2": bz2.compress(_jsonl(GOOD)),
    ".csv.zst": _zst(_table(_TEXTS, ",")),
}
"""The good rows in each format."""


def _bytes(name: str, ending: str, content: bytes, rows: Optional[int] = None, sound: bool = False) -> BadFile:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return BadFile(name, ending, write, rows, sound)


def _rows(name: str, *changes: Dict[str, Any], without: str = "") -> BadFile:
    """Good rows, of which the second and the following are changed."""
    rows: List[Dict[str, Any]] = [dict(row) for row in GOOD]
    for row, change in zip(rows[1:], changes):
        row.update(change)
        row.pop(without, None)
    return _bytes(name, ".jsonl", _jsonl(rows), ROWS)


def _flipped(content: bytes, seed: int) -> bytes:
    """One bit of one byte is another."""
    draw = random.Random(seed)
    place, bit = draw.randrange(len(content)), draw.randrange(8)
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def _directory(path: Path) -> None:
    path.mkdir()


def _folder_of_shards(path: Path) -> None:
    path.mkdir()
    (path / "a.jsonl").write_bytes(CONTENT[".jsonl"])
    (path / "b.jsonl").write_bytes(CONTENT[".jsonl"][:-9])


def _folder_of_damaged_gz(path: Path) -> None:
    path.mkdir()
    (path / "a.csv.gz").write_bytes(gzip.compress(CONTENT[".csv"])[:-9])


def _nothing(path: Path) -> None:
    pass


def _link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


def _unreadable_index(path: Path) -> None:
    path.write_bytes(CONTENT[".jsonl"])
    path.with_name(path.name + ".offsets.npy").write_bytes(b"\x93NUMPY nonsense")


def _plain(ending: str) -> bool:
    return ending in (".jsonl", ".csv", ".tsv")


def _damaged() -> List[BadFile]:
    """Each format cut in several places, with flipped bits, with something behind its end."""
    kinds = []
    for ending, content in CONTENT.items():
        rows = LINES if _plain(ending) else None if ending == ".json" else ROWS
        for share in (0.1, 0.5, 0.93):
            kinds.append(_bytes(f"cut at {share}", ending, content[: int(len(content) * share)], rows))
        kinds.append(_bytes("one byte missing at the end", ending, content[:-1], rows, sound=_plain(ending)))
        for seed in range(4):
            kinds.append(_bytes(f"flipped bit {seed}", ending, _flipped(content, seed), rows))
        kinds.append(_bytes("garbage behind", ending, content + b"\x00\xff garbage", rows))
        kinds.append(_bytes("zeros", ending, bytes(len(content))))
        kinds.append(_bytes("empty", ending, b""))
    return kinds


def _tables() -> List[BadFile]:
    csv, tsv = CONTENT[".csv"].decode(), CONTENT[".tsv"].decode()
    head, *lines = csv.splitlines(keepends=True)
    quoted = csv.replace("bad movie 2", '"bad\nmovie ""2"""')
    return [
        _bytes("quote never closed", ".csv", csv.replace("bad movie 2", '"bad movie 2').encode(), ROWS),
        _bytes("text behind a quote", ".csv", csv.replace("bad movie 2", '"bad" movie 2').encode(), ROWS),
        _bytes("quote within a cell", ".csv", csv.replace("movie 2", 'mo"vie 2').encode(), ROWS),
        _bytes("newline in a quoted cell", ".csv", quoted.encode(), ROWS, sound=True),
        _bytes("stray quote", ".tsv", tsv.replace("bad movie 2", '"bad movie 2').encode(), ROWS, sound=True),
        _bytes("CRLF", ".csv", csv.replace("\n", "\r\n").encode(), ROWS, sound=True),
        _bytes("CR alone", ".csv", csv.replace("\n", "\r").encode()),
        _bytes("byte order mark", ".csv", csv.encode("utf-8-sig"), ROWS, sound=True),
        _bytes("byte order mark", ".tsv", tsv.encode("utf-8-sig"), ROWS, sound=True),
        _bytes("UTF-16", ".csv", csv.encode("utf-16"), ROWS),
        _bytes("Latin-1", ".csv", csv.replace("bad", "bäd").encode("latin-1"), ROWS),
        _bytes("Latin-1", ".tsv", tsv.replace("bad", "bäd").encode("latin-1"), ROWS),
        _bytes("header alone", ".csv", head.encode(), 0),
        _bytes("header alone", ".tsv", tsv.splitlines(keepends=True)[0].encode(), 0),
        _bytes("no header", ".csv", "".join(lines).encode(), None),
        _bytes("a column named twice", ".csv", csv.replace("label", "text", 1).encode(), ROWS),
        _bytes("a column without a name", ".csv", csv.replace("label", "", 1).encode(), ROWS),
        _bytes("one cell too many", ".csv", csv.replace("movie 2", "movie, 2").encode(), ROWS),
        _bytes("one cell too many", ".tsv", tsv.replace("movie 2", "movie\t2").encode(), ROWS),
        _bytes("one cell too few", ".csv", csv.replace("r2,", "").encode(), ROWS),
        _bytes("blank line", ".csv", csv.replace("r2,", "\nr2,").encode(), ROWS),
        _bytes("blank line", ".tsv", tsv.replace("r2\t", "\nr2\t").encode(), ROWS),
        _bytes("semicolons", ".csv", csv.replace(",", ";").encode(), ROWS),
        _bytes("NUL in a cell", ".tsv", tsv.replace("movie 2", "movie\0 2").encode(), ROWS),
        _bytes("empty cells", ".csv", csv.replace("bad movie 2,0", ",").encode(), ROWS),
        _bytes("long cell", ".csv", csv.replace("movie 2", "movie " * 30_000).encode(), ROWS, sound=True),
    ]


def _json() -> List[BadFile]:
    text = CONTENT[".jsonl"].decode()
    listed = CONTENT[".json"]
    return [
        _bytes("blank lines behind", ".jsonl", text.encode() + b"\n \n", ROWS),
        _bytes("blank line", ".jsonl", text.replace('{"id": "r2"', '\n{"id": "r2"').encode(), ROWS),
        _bytes("two rows on a line", ".jsonl", text.replace("}\n", "}", 1).encode(), ROWS),
        _bytes("byte order mark", ".jsonl", text.encode("utf-8-sig"), ROWS, sound=True),
        _bytes("CRLF", ".jsonl", text.replace("\n", "\r\n").encode(), ROWS, sound=True),
        _bytes("UTF-16", ".jsonl", text.encode("utf-16"), ROWS),
        _bytes("Latin-1", ".jsonl", text.replace("bad", "bäd").encode("latin-1"), ROWS),
        _bytes("half of a character", ".jsonl", text.replace("movie 2", "\\ud83d 2").encode(), ROWS),
        _bytes("single quotes", ".jsonl", text.replace('"', "'").encode(), ROWS),
        _bytes("lists for rows", ".jsonl", _jsonl([list(row.values()) for row in GOOD]), ROWS),
        _bytes("texts for rows", ".jsonl", _jsonl(["good", "bad"]), 2),
        _bytes("null for a row", ".jsonl", _jsonl([*GOOD, None]), ROWS + 1),
        _bytes("deep nesting", ".jsonl", text.encode() + b"[" * 100_000 + b"\n", ROWS + 1),
        _bytes("deep nesting in a row", ".jsonl", text.encode() + b'{"a":' * 100_000 + b"\n", ROWS + 1),
        _bytes("an endless number", ".jsonl", text.replace('"label": 0', f'"label": {"9" * 5000}').encode(), ROWS),
        _bytes("a list with a comma behind", ".json", listed[:-1] + b",]", ROWS),
        _bytes("a list of lists", ".json", json.dumps([[1], [2]]).encode(), 2),
        _bytes("an object of lists", ".json", json.dumps({"input": ["a", "b"], "target": ["c", "d"]}).encode()),
        _bytes("a number", ".json", b"3"),
        _bytes("an empty list", ".json", b"[]", 0),
        _bytes("a list in .jsonl", ".jsonl", listed, ROWS),
        _bytes("two lists", ".json", listed + b"\n" + listed, 2 * ROWS),
    ]


def _values() -> List[BadFile]:
    nan = float("nan")
    repeated = [{"id": "r0"}] * 2
    return [
        _rows("null for texts", {"text": None, "input": None}),
        _rows("NaN for texts", {"text": nan, "input": nan}),
        _rows("numbers for texts", {"text": 3, "input": 3.5}),
        _rows("lists for texts", {"text": ["a"], "input": ["a"]}),
        _rows("objects for texts", {"text": {"a": 1}, "input": {"a": 1}}),
        _rows("empty texts", {"text": "", "input": ""}),
        _rows("blank texts", {"text": " \n", "input": " \t"}),
        _rows("no text", {}, without="text"),
        _rows("no input", {}, without="input"),
        _rows("no target", {}, without="target"),
        _rows("no label", {}, without="label"),
        _rows("null for an answer", {"label": None, "target": None}),
        _rows("NaN for an answer", {"label": nan, "target": nan}),
        _rows("no place: -1", {"label": -1, "target": -1}),
        _rows("no place: 5", {"label": 5, "target": 5}),
        _rows("no place: 1.0", {"label": 1.0, "target": 1.0}),
        _rows("no place: infinite", {"label": float("inf"), "target": float("inf")}),
        _rows("no place: maybe", {"label": "maybe", "target": "maybe"}),
        _rows("no place: true", {"label": True, "target": True}),
        _rows("no place: a list", {"label": [1], "target": ["yes"]}),
        _rows("null among choices", {"answer_choices": ["yes", None]}),
        _rows("a text for choices", {"answer_choices": "yes"}),
        _rows("objects for choices", {"answer_choices": [{"a": 1}, ["b"]]}),
        _rows("empty choices", {"answer_choices": ["", " "]}),
        _rows("the same choices", {"answer_choices": ["yes", "yes"]}),
        _rows("references of numbers", {"references": [1, 2]}),
        _rows("a wrong answer", {"is_correct": False}),
        _rows("is_correct is no truth value", {"is_correct": "maybe"}, {"is_correct": None}),
        _rows("task is a list", {"task": ["a"]}, {"task": None}, {"task": 3}),
        _rows("an id twice", *repeated),
        _rows("an id that is an object", {"id": {"a": 1}}, {"id": None}),
        _rows("keys of a dict's methods", {"items": 1, "text": "a", "keys": None}),
        _rows("a very long text", {"text": "good " * 200_000, "input": "good " * 200_000}),
    ]


def _layouts() -> List[BadFile]:
    squad = {"context": "a", "question": "b ?", "answers": {"text": ["c"]}}
    chat = {"messages": [{"role": "user", "content": "a ?"}, {"role": "assistant", "content": "b"}]}
    said = {"conversations": [{"from": "human", "value": "a ?"}, {"from": "gpt", "value": "b"}]}
    alpaca = {"instruction": "a", "input": "b", "output": "c"}
    super_ni = {"definition": "a", "input": "b", "output": ["c"]}
    p3 = {"inputs_pretokenized": "a", "targets_pretokenized": "b"}
    bad: List[Any] = [
        ("squad", squad, {**squad, "answers": None}),
        ("squad", squad, {**squad, "answers": {"text": [None]}}),
        ("squad", squad, {**squad, "answers": {"text": [{}]}}),
        ("squad", squad, {**squad, "context": 3}),
        ("chat", chat, {"messages": "a"}),
        ("chat", chat, {"messages": [{"role": 3, "content": "a"}]}),
        ("chat", chat, {"messages": [{"role": "user", "content": 3}, {"role": "assistant", "content": 4}]}),
        ("chat", chat, {"messages": [{"role": "user", "content": [{"image": "x"}]}]}),
        ("chat", chat, {"messages": [{"role": None}]}),
        ("chat", chat, {"messages": {"role": "user"}}),
        ("chat", chat, {"messages": []}),
        ("chat", chat, {}),
        ("said", said, {"conversations": [{"value": "a"}]}),
        ("said", said, {"conversations": ["a", "b"]}),
        ("alpaca", alpaca, {**alpaca, "instruction": None}),
        ("alpaca", alpaca, {**alpaca, "input": 3}),
        ("alpaca", alpaca, {"instruction": "a"}),
        ("alpaca", alpaca, {**alpaca, "output": ["c"]}),
        ("super_ni", super_ni, {**super_ni, "output": [None]}),
        ("super_ni", super_ni, {**super_ni, "definition": ["a"]}),
        ("super_ni", super_ni, {**super_ni, "output": 3}),
        ("p3", p3, {"inputs_pretokenized": None, "targets_pretokenized": None}),
        ("p3", p3, {"targets_pretokenized": "b"}),
        ("flan", {"inputs": "a", "targets": "b"}, {"inputs": ["a"], "targets": ["b"]}),
    ]
    return [
        _bytes(f"layout {name} {number}", ".jsonl", _jsonl([good, row, good]), 3)
        for number, (name, good, row) in enumerate(bad)
    ]


def _places() -> List[BadFile]:
    nested = [{**row, "input": {"a": [row["input"]]}, "text": b"\xff\x00"} for row in GOOD]
    nulls = [{**row, "label": None, "target": None, "input": None, "text": None} for row in GOOD]
    return [
        BadFile("an empty folder", ".jsonl", _directory),
        BadFile("a folder with a cut file", "", _folder_of_shards, 2 * ROWS),
        BadFile("a folder with a damaged .gz", "", _folder_of_damaged_gz, ROWS),
        BadFile("no such file", ".jsonl", _nothing),
        BadFile("no such file", ".parquet", _nothing),
        BadFile("a link to nothing", ".csv", _link_to_nothing),
        BadFile("a damaged index beside it", ".jsonl", _unreadable_index, ROWS, True),
        _bytes("another ending", ".xlsx", CONTENT[".csv"]),
        _bytes("no ending", "", CONTENT[".jsonl"], ROWS),
        _bytes("lines in .json", ".json", CONTENT[".jsonl"], ROWS, True),
        _bytes("plain text in .gz", ".jsonl.gz", CONTENT[".jsonl"], ROWS),
        _bytes("gz in .jsonl", ".jsonl", CONTENT[".jsonl.gz"], ROWS),
        _bytes("gz in .bz2", ".jsonl.bz2", CONTENT[".jsonl.gz"], ROWS),
        _bytes("CSV in .parquet", ".parquet", CONTENT[".csv"], ROWS),
        _bytes("Parquet in .csv", ".csv", CONTENT[".parquet"], ROWS),
        _bytes("Parquet in .arrow", ".arrow", CONTENT[".parquet"], ROWS),
        _bytes("CSV in .tsv", ".tsv", CONTENT[".csv"], ROWS),
        _bytes("Parquet without rows", ".parquet", _parquet_of_none(), 0),
        _bytes("Parquet of nested columns", ".parquet", _parquet(nested), ROWS),
        _bytes("Parquet of nulls", ".parquet", _parquet(nulls), ROWS),
    ]


def _parquet_of_none() -> bytes:
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(GOOD).slice(0, 0), sink)
    return bytes(sink.getvalue())


FILES = [*_damaged(), *_tables(), *_json(), *_values(), *_layouts(), *_places()]
"""All of them."""
