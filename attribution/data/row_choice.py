"""Which rows of many, as numpy over row numbers: 8 to 16 bytes a row, whatever the rows are."""

from hashlib import blake2b

import numpy as np

_PARTS = 16  # Equal rows are looked for in one part of them at a time, so that sorting needs little memory.


class Digests:
    """16 bytes of each of a sequence of texts: equal where the texts are equal."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def append(self, *texts: str) -> None:
        digest = blake2b(digest_size=16)
        for text in texts:
            encoded = text.encode()
            digest.update(b"%d:" % len(encoded) + encoded)
        self._bytes += digest.digest()

    def array(self) -> np.ndarray:
        # Shape: (rows, 2), two halves of each
        return np.frombuffer(self._bytes, dtype=np.uint64).reshape(-1, 2)


def repeats(digests: np.ndarray) -> np.ndarray:
    """
    For each row the number of the first row that is equal to it: its own, where it is the first.

    Shape: (rows, 2) -> (rows,)
    """
    first = np.arange(len(digests))
    part_of_row = digests.view(np.uint8)[:, 0] % _PARTS
    for part in range(_PARTS):
        rows = np.flatnonzero(part_of_row == part)
        order = np.lexsort(digests[rows].T)  # Stable: of equal rows the first stays the first.
        ordered = digests[rows[order]]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        starts = np.flatnonzero(new)
        first[rows[order]] = np.repeat(rows[order[starts]], np.diff(starts, append=len(rows)))
    return first


def within_cap(groups: np.ndarray, cap: int) -> np.ndarray:
    """
    Whether each row is among the first `cap` of its group.

    Shape: (rows,) -> (rows,)
    """
    order = np.argsort(groups, kind="stable")
    kept = np.zeros(len(groups), dtype=bool)
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        kept[members[:cap]] = True
    return kept
