"""One change, drawn by a seed, of what a good file holds."""

import copy
import io
import json
import random
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy as np

MISSING, FOLDER, FIFO = "missing", "a folder", "a pipe"
"""What is no content, but in the file's place."""

_VALUES: List[Any] = [
    None, True, False, -1, 0, 1, 1e308, float("nan"), float("inf"), 10**30, 0.5, "", "false", "true", "nonsense",
    "/nowhere/at all", "a\tb", "=1+1", "x" * 300, [], {}, [[]], [None], {"a": 1}, {"type": "nonsense"}, [1, 2, 3],
]  # fmt: skip


class Mutation(NamedTuple):
    """What is put in the place of a good file."""

    what: str
    content: Union[bytes, str]
    """Bytes, or one of the three above."""
    words: Tuple[str, ...] = ()
    """Of JSON the key whose value was changed, and the new value."""
    must_stop: bool = False
    """Whether no command can do what it was asked to with it."""
    is_of_no_use: bool = False
    """Whether the new value in JSON is of another kind than the old, or a number with which nobody can calculate."""


def mutated(name: str, content: bytes, draw: random.Random, config: bool = False) -> Mutation:
    """Of a file of this name, which may be a command's configuration."""
    odd = (MISSING, FOLDER, *((FIFO,) if config or Path(name).name == "manifest.json" else ()))
    if draw.random() < 0.06:
        what = draw.choice(odd)
        return Mutation(what, what, must_stop=True)
    changes = _BY_ENDING.get(Path(name).suffix)
    if changes is not None and draw.random() < (0.95 if config else 0.6):
        mutation = changes(content, draw)
        return mutation._replace(must_stop=mutation.must_stop or (config and mutation.is_of_no_use))
    return _bytes(content, draw)


def write(path: Path, mutation: Mutation) -> None:
    """Puts it there."""
    path.unlink()
    if mutation.content == FOLDER:
        path.mkdir()
    elif mutation.content == FIFO:
        import os

        os.mkfifo(path)
    elif isinstance(mutation.content, bytes):
        path.write_bytes(mutation.content)


def _bytes(content: bytes, draw: random.Random) -> Mutation:
    kind = draw.choice(["empty", "cut", "cut", "flipped", "flipped", "flipped", "longer", "other bytes"])
    changed = bytearray(content)
    if kind == "empty":
        changed.clear()
    elif kind == "cut":
        del changed[draw.randrange(len(content)) :]
    elif kind == "longer":
        changed += draw.randbytes(draw.randint(1, 40))
    elif kind == "other bytes":
        changed = bytearray(draw.randbytes(draw.randint(1, 200)))
    else:
        for _ in range(draw.choice([1, 1, 3])):
            changed[draw.randrange(len(content))] = draw.randrange(256)
    return Mutation(kind, bytes(changed), must_stop=kind == "empty")


def places(value: Any, place: Tuple[Any, ...] = ()) -> Iterator[Tuple[Any, ...]]:
    """Of all that is in JSON, the value itself first."""
    yield place
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*place, key))


class _Change(NamedTuple):
    """JSON with another value in one place."""

    value: Any
    what: str
    """Was done."""
    words: Tuple[str, ...]
    """The key and the value."""
    is_of_no_use: bool = False


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, (int, float)):
        return "a number" if abs(value) < 1e20 else "no number"
    return type(value).__name__


def _is_of_no_use(new: Any, old: Any) -> bool:
    if new is None or (isinstance(old, bool) and isinstance(new, int) and new in (0, 1)):  # AllenNLP takes those.
        return False
    return _kind(new) == "no number" or _kind(new) != _kind(old)


def _changed(value: Any, draw: random.Random) -> _Change:
    place = draw.choice(list(places(value)))
    new = copy.deepcopy(draw.choice(_VALUES))
    keys = [key for key in place if isinstance(key, str)]
    key = keys[-1].rpartition(".")[2] if keys else ""
    words = tuple(word for word in (key, str(new)[:40]) if word)
    if not place:
        return _Change(new, f"all of it is {new!r:.40}", words, _is_of_no_use(new, value))
    changed = copy.deepcopy(value)
    block = changed
    for step in place[:-1]:
        block = block[step]
    if isinstance(place[-1], str) and draw.random() < 0.1:
        del block[place[-1]]
        return _Change(changed, f"{key} is left out", words[:1])
    old, block[place[-1]] = block[place[-1]], new
    return _Change(changed, f"{'.'.join(map(str, place))} is {new!r:.40}", words, _is_of_no_use(new, old))


def _json(content: bytes, draw: random.Random) -> Mutation:
    if draw.random() < 0.03:
        return Mutation("nested deep", b"[" * 100_000 + b"]" * 100_000, must_stop=True)
    change = _changed(json.loads(content), draw)
    return Mutation(
        change.what, json.dumps(change.value, indent=2).encode(), change.words, is_of_no_use=change.is_of_no_use
    )


def _lines(content: bytes, draw: random.Random) -> Mutation:
    lines = content.splitlines(keepends=True)
    place = draw.randrange(len(lines))
    change = _changed(json.loads(lines[place]), draw)
    lines[place] = json.dumps(change.value).encode() + b"\n"
    return Mutation(f"line {place + 1}: {change.what}", b"".join(lines), change.words)


_NO_ARRAYS = ("complex", "texts", "objects", "truth values", "flat", "one more axis", "none", "a number", "huge")
"""Of numbers."""


def _array(array: np.ndarray, draw: random.Random) -> Tuple[str, Optional[np.ndarray]]:
    kinds: Dict[str, Callable[[], Any]] = {
        "complex": lambda: array.astype(complex) if array.dtype.kind in "fiub" else array.astype(object),
        "texts": lambda: array.astype(str),
        "numbers": lambda: np.zeros(array.shape),
        "objects": lambda: array.astype(object),
        "truth values": lambda: np.ones(array.shape, bool),
        "flat": lambda: array.reshape(-1)[: max(1, array.size // 2)],
        "one more axis": lambda: array[None],
        "none": lambda: array[..., :0] if array.ndim else array.reshape(1)[:0],
        "a number": lambda: np.array(3.0),
        "negative": lambda: -np.ones(array.shape),
        "huge": lambda: np.full(array.shape, 1e308),
    }
    if array.dtype.kind == "f" and array.size:
        for name, value in {"not a number": np.nan, "infinite": np.inf}.items():
            kinds[name] = lambda value=value: np.where(np.arange(array.size).reshape(array.shape) == 0, value, array)
    what = draw.choice(sorted(kinds))
    return what, kinds[what]()


def _npy(content: bytes, draw: random.Random) -> Mutation:
    what, array = _array(np.load(io.BytesIO(content), allow_pickle=False), draw)
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return Mutation(what, file.getvalue(), must_stop=what in _NO_ARRAYS)


def _npz(content: bytes, draw: random.Random) -> Mutation:
    with np.load(io.BytesIO(content), allow_pickle=False) as saved:
        arrays: Dict[str, Any] = {name: saved[name] for name in saved}
    name = draw.choice(sorted(arrays))
    old = arrays[name]
    if draw.random() < 0.15:
        del arrays[name]
        what = "left out"
    else:
        what, arrays[name] = _array(arrays[name], draw)
    file = io.BytesIO()
    np.savez(file, **arrays)
    new = arrays.get(name, old)
    is_other = new.dtype.kind != old.dtype.kind or new.shape != old.shape or what == "huge"
    return Mutation(f"{name}: {what}", file.getvalue(), must_stop=is_other)


def _safetensors(content: bytes, draw: random.Random) -> Mutation:
    length = int.from_bytes(content[:8], "little")
    change = _changed(json.loads(content[8 : 8 + length]), draw)
    header = json.dumps(change.value).encode()
    header += b" " * (-len(header) % 8)
    content = len(header).to_bytes(8, "little") + header + content[8 + length :]
    return Mutation(f"header: {change.what}", content, change.words)


_BY_ENDING: Dict[str, Callable[[bytes, random.Random], Mutation]] = {
    ".json": _json,
    ".jsonl": _lines,
    ".npy": _npy,
    ".npz": _npz,
    ".safetensors": _safetensors,
}
