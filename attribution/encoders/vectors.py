"""Stored vectors of a file's rows: memory-mapped shards that are written whole or not at all."""

from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.common.arrays import UNREADABLE
from attribution.common.engines import Engine
from attribution.common.kept import check_alike, missing_arrays, write_array
from attribution.common.manifest import Identity, first_difference, read_manifest
from attribution.encoders.encoder import Encoder
from attribution.encoders.image import ImageEncoder

PART = "part"
"""In the identity of vectors that are a part of a pool's."""
LABELS = "labels.npy"
"""Beside vectors of labelled rows: a number for each, its class or its value."""


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
        manifest = read_manifest(directory)
        if manifest["command"] != "embed":
            raise ConfigurationError(f"{directory}: what {manifest['command']} wrote; stored vectors are embed's")
        self.identity: Dict[str, Any] = manifest["identity"]
        if PART in self.identity:
            raise ConfigurationError(
                f"{directory}: part {self.identity[PART]} of a pool's vectors; `parts` of embed puts them together"
            )

    def __len__(self) -> int:
        return self.identity["rows"]

    def check(self, wanted: Identity) -> None:
        """
        # Raises

        `ConfigurationError`, naming the first difference, if these are not the vectors that `wanted` describes, a
        `source`.
        """
        difference = first_difference({key: self.identity[key] for key in wanted}, wanted)
        if difference:
            raise ConfigurationError(f"{self.directory}: vectors of something else: {difference}")

    def shards(self) -> List[Tuple[int, Path]]:
        """The number of each shard's first row, and its file: float16 or float32, shape (rows, dimension)."""
        return [
            (shard.first, self.directory / shard.file)
            for shard in shards(self.identity["rows"], self.identity["shard_rows"])
        ]

    def blocks(self) -> Iterator[np.ndarray]:
        """All vectors in order, memory-mapped, in the stored type. Each block has shape (rows, dimension)."""
        for _, path in self.shards():
            yield open_shard(path)

    def take(self, numbers: np.ndarray, opened: Optional[Callable[[Path], np.ndarray]] = None) -> np.ndarray:
        """
        The vectors of these rows, in their order. Shape: (rows, dimension), float32.

        # Parameters

        numbers : `np.ndarray`
        opened : `Callable[[Path], np.ndarray]`, optional
            `open_shard`, by default, or one that keeps some shards open.
        """
        opened = opened or open_shard
        first, paths = zip(*self.shards())
        inside = np.searchsorted(first, numbers, side="right") - 1
        taken = np.empty((len(numbers), opened(paths[0]).shape[1]), dtype=np.float32)
        for shard in np.unique(inside):
            wanted = inside == shard
            taken[wanted] = opened(paths[shard])[numbers[wanted] - first[shard]]
        return taken


def open_shard(path: Path) -> np.ndarray:
    """
    Memory-mapped.

    # Raises

    `ConfigurationError` if it is missing or damaged.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        raise ConfigurationError(
            f"{path}: missing or damaged ({error}); remove {path.parent}, and allennlp embed makes it again"
        ) from error


def check_storage(dtype: str, shard_rows: int) -> None:
    """
    # Raises

    `ConfigurationError` if vectors cannot be stored so.
    """
    if dtype not in ("float16", "float32"):
        raise ConfigurationError(f"dtype is {dtype!r}; float16 and float32 are possible")
    if shard_rows < 1:
        raise ConfigurationError(f"shard_rows is {shard_rows}; at least one is needed")


def source(pool: Identity, encoder: Union[Encoder, ImageEncoder]) -> Identity:
    """What vectors are of: the part of their identity that has to agree before they are used."""
    return {"encoder": encoder.identity, "pool": pool}


def shards(rows: int, shard_rows: int) -> List[Shard]:
    return [Shard(first, min(first + shard_rows, rows)) for first in range(0, rows, shard_rows)]


def missing_shards(directory: Path, every: Sequence[Shard], dtype: str) -> List[Shard]:
    """Those that an interrupted run has not left in the directory, or not as they should be."""
    shapes = {directory / shard.file: (shard.end - shard.first, None) for shard in every}
    missing = missing_arrays(shapes, [dtype])
    return [shard for shard in every if directory / shard.file in missing]


def check_widths(directory: Path, every: Sequence[Shard]) -> None:
    """
    # Raises

    `ConfigurationError` if not all vectors of the pool have the same width.
    """
    check_alike([directory / shard.file for shard in every])


def write_missing(
    directory: Path,
    every: Sequence[Shard],
    dtype: str,
    engine: Engine,
    encode: Callable[[Any], np.ndarray],
    part: Callable[[Shard], Any],
) -> None:
    """Of these shards those that are missing: a worker encodes the part of the rows that a shard is of."""
    missing = missing_shards(directory, every, dtype)
    encoded = engine.map(encode, map(part, missing))
    for shard, values in Tqdm.tqdm(zip(missing, encoded), total=len(missing), desc="encoding", unit="shard"):
        write_shard(directory, shard, values)
    check_widths(directory, every)


def write_shard(directory: Path, shard: Shard, vectors: np.ndarray) -> None:
    """
    Writes a shard beside its place and renames it.

    # Raises

    `ConfigurationError` if a vector is not finite.
    """
    if not np.isfinite(vectors).all():
        raise ConfigurationError(
            f"rows {shard.first} to {shard.end - 1}: a vector is not finite in {vectors.dtype}; store float32, or mend "
            "the rows"
        )
    write_array(directory / shard.file, vectors)
