"""Scores of pairs of texts on disk: what is scored once is not scored again."""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Callable, Dict, Iterable, Sequence, Tuple

import numpy as np

from attribution.common.manifest import Identity

_RECORD = np.dtype([("key", "V16"), ("score", "<f4")])

Pair = Tuple[str, str]


def pair_key(pair: Pair) -> bytes:
    """Of its texts."""
    return hashlib.blake2b(json.dumps(pair).encode(), digest_size=16).digest()


class ScoreCache:
    """
    A file of hashes of pairs with their scores, that one process at a time adds to; the beginning of a record, left by
    a killed process, is dropped.

    # Parameters

    folder : `Path`
        Holds a file for each scorer.
    identity : `Identity`
        What the scores depend on beside the texts.
    """

    def __init__(self, folder: Path, identity: Identity) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.path = folder / f"{name}.scores"

    def read(self) -> Dict[bytes, float]:
        if not self.path.is_file():
            return {}
        whole = self.path.stat().st_size // _RECORD.itemsize
        records = np.fromfile(self.path, dtype=_RECORD, count=whole)
        records = records[np.isfinite(records["score"])]  # Others are damage: a scorer gives none.
        return {bytes(key): score for key, score in zip(records["key"].tolist(), records["score"].tolist())}

    def add(self, keys: Sequence[bytes], scores: np.ndarray) -> None:
        records = np.empty(len(keys), dtype=_RECORD)
        records["key"] = [np.void(key) for key in keys]
        records["score"] = scores
        with self.path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.truncate(file.seek(0, os.SEEK_END) // _RECORD.itemsize * _RECORD.itemsize)
            file.write(records.tobytes())


def in_windows(
    pairs: Sequence[Pair], path: Path, window: int, score: Callable[[Iterable[Sequence[Pair]]], Iterable[np.ndarray]]
) -> np.ndarray:
    """
    The scores of all pairs, `window` at a time. The windows that are in `path` already are not scored again, and come
    out the same to the last digit, since each is scored by itself. Shape: (pairs,).
    """
    kept = np.fromfile(path, dtype="<f4")[: len(pairs)] if path.is_file() else np.empty(0)
    done = len(kept) // window if np.isfinite(kept).all() else 0
    with path.open("ab") as file:
        file.truncate(done * 4 * window)
        for scores in score(pairs[first : first + window] for first in range(done * window, len(pairs), window)):
            file.write(scores.astype("<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())
    return np.fromfile(path, dtype="<f4")
