"""Stored vectors of a file's rows: memory-mapped shards that are written whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Union

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import MANIFEST, fingerprint, write_json
from attribution.encoders.encoder import Encoder

PLAN = "plan.json"
"""What the vectors are of: written first; shards that another plan made are never gone on with."""


class Shard(NamedTuple):
    """Consecutive rows, from `first` up to but not including `end`."""

    first: int
    end: int

    @property
    def file(self) -> str:
        return f"vectors_{self.first:010d}.npy"


class Vectors:
    """
    The vectors that `allennlp embed` wrote; row number = place.

    # Parameters

    directory : `str`
        What `allennlp embed -s` was given.

    # Raises

    `ConfigurationError` if it is no such directory, or one that was not finished.
    """

    def __init__(self, directory: Union[str, Path]) -> None:
        self.directory = Path(directory)
        if not (self.directory / PLAN).is_file():
            raise ConfigurationError(f"{directory}: no stored vectors there; allennlp embed makes them")
        if not (self.directory / MANIFEST).is_file():
            raise ConfigurationError(f"{directory}: not finished; the same allennlp embed goes on")
        self.plan: Dict[str, Any] = json.loads((self.directory / PLAN).read_text(encoding="utf-8"))

    def __len__(self) -> int:
        return self.plan["rows"]

    def check(self, wanted: Dict[str, Any]) -> None:
        """
        # Raises

        `ConfigurationError`, naming the first difference, if these are not the vectors that `wanted` describes, a
        `source`.
        """
        difference = _first_difference({key: self.plan[key] for key in wanted}, wanted)
        if difference:
            raise ConfigurationError(f"{self.directory}: vectors of something else: {difference}")

    def blocks(self) -> Iterator[np.ndarray]:
        """All vectors in order, memory-mapped, in the stored type. Each block has shape (rows, dimension)."""
        for shard in shards(self.plan["rows"], self.plan["shard_rows"]):
            yield np.load(self.directory / shard.file, mmap_mode="r", allow_pickle=False)


def source(pool_path: Path, encoder: Encoder) -> Dict[str, Any]:
    """What vectors are of: the part of a plan that has to agree before they are used."""
    content = fingerprint(pool_path)
    return {"encoder": encoder.identity, "pool": {key: content[key] for key in ("bytes", "sha256")}}


def shards(rows: int, shard_rows: int) -> List[Shard]:
    return [Shard(first, min(first + shard_rows, rows)) for first in range(0, rows, shard_rows)]


def begin(directory: Path, plan: Dict[str, Any]) -> List[Shard]:
    """
    Makes `directory` ready for the vectors of `plan`, or goes on with what an earlier process left there.

    # Returns

    The shards that are still to be made.

    # Raises

    `ConfigurationError` if the directory holds something else.
    """
    if directory.exists() and not directory.is_dir():
        raise ConfigurationError(f"{directory} exists already and is no directory; name another")
    directory.mkdir(parents=True, exist_ok=True)
    if (directory / PLAN).is_file():
        difference = _first_difference(json.loads((directory / PLAN).read_text(encoding="utf-8")), plan)
        if difference:
            raise ConfigurationError(
                f"{directory} holds vectors of something else: {difference}; name another directory, or remove it"
            )
    elif any(not file.name.endswith(".part") for file in directory.iterdir()):
        raise ConfigurationError(f"{directory} exists already and is not empty; name another directory, or remove it")
    else:
        write_json(directory / PLAN, plan)
    return [shard for shard in shards(plan["rows"], plan["shard_rows"]) if not (directory / shard.file).is_file()]


def write_shard(directory: Path, shard: Shard, blocks: Iterator[np.ndarray], dtype: str) -> None:
    """Writes a shard beside its place and renames it. Each block has shape (rows, dimension)."""
    beside = directory / f"{shard.file}.part"
    first = next(blocks)
    stored = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        beside, mode="w+", dtype=dtype, shape=(shard.end - shard.first, first.shape[1])
    )
    place = 0
    for block in _chain(first, blocks):
        stored[place : place + len(block)] = block
        place += len(block)
    assert place == len(stored), "an encoder gives one vector for each text"
    if not np.isfinite(stored).all():
        raise ConfigurationError(
            f"rows {shard.first} to {shard.end - 1}: a vector is not finite in {dtype}; store float32, or mend the rows"
        )
    stored.flush()
    del stored
    os.replace(beside, directory / shard.file)


def _chain(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _first_difference(there: Dict[str, Any], wanted: Dict[str, Any], prefix: str = "") -> str:
    for key in sorted({*there, *wanted}):
        one, other = there.get(key), wanted.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            inner = _first_difference(one, other, f"{prefix}{key}.")
            if inner:
                return inner
        elif one != other:
            return f"{prefix}{key} is {one!r} there and {other!r} here"
    return ""
