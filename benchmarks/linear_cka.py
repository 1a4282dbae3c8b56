"""
Linear CKA of 34 memory-mapped feature sets of 10,000 x 768: time against the matrix products alone, from memory; peak
memory beyond the accumulators, in feature sets; and the largest difference from the definition in double precision.
Run: `python -m benchmarks.linear_cka [SETS]`; it wants 1 GB below TMPDIR.
"""

import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import List

import numpy as np

from attribution.similarity import linear_cka

ROWS, WIDTH = 10_000, 768
AT_ONCE = 16


def write_sets(folder: Path, count: int) -> List[np.ndarray]:
    """With something in common, and columns of which some are far from 0."""
    generator = np.random.default_rng(0)
    common = generator.standard_normal((ROWS, 50), dtype=np.float32)
    for number in range(count):
        values = common @ generator.standard_normal((50, WIDTH), dtype=np.float32)
        values += (2 + number) * generator.standard_normal((ROWS, WIDTH), dtype=np.float32)
        values[:, :3] += 300
        np.save(folder / f"{number}.npy", values)
    return [np.load(folder / f"{number}.npy", mmap_mode="r") for number in range(count)]


def products(sets: List[np.ndarray]) -> float:
    loaded = [np.array(values) for values in sets]
    start = time.perf_counter()
    for number, right in enumerate(loaded):
        for left in loaded[: number + 1]:
            left.T @ right
    return time.perf_counter() - start


def accumulators(count: int) -> int:
    """Bytes of the cross-moments that are in memory at once, in double precision."""
    within = min(count, AT_ONCE)
    across = min(max(count - AT_ONCE, 0), AT_ONCE) * AT_ONCE
    return max(within * (within + 1) // 2, across) * WIDTH * WIDTH * 8


def definition(one: np.ndarray, other: np.ndarray) -> float:
    x, y = (values - values.mean(0) for values in (one.astype(np.float64), other.astype(np.float64)))
    return float(np.linalg.norm(x.T @ y) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sets = write_sets(Path(folder), count)
        linear_cka(sets[:2])
        alone = products(sets)
        tracemalloc.start()
        start = time.perf_counter()
        alignment = linear_cka(sets, sets_at_once=AT_ONCE)
        taken = time.perf_counter() - start
        peak = tracemalloc.get_traced_memory()[1] - accumulators(count)
        tracemalloc.stop()
        checked = [(0, 1), (0, count - 1), (count - 2, count - 1)]
        error = max(abs(alignment[pair] - definition(sets[pair[0]], sets[pair[1]])) for pair in checked)
    print(f"{count} sets of {ROWS} x {WIDTH}: {taken:.1f} s, the products alone {alone:.1f} s: {taken / alone:.2f}")
    print(f"peak memory beyond the accumulators: {peak / (ROWS * WIDTH * 4):.2f} feature sets")
    print(f"difference from the definition: {error:.1e}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 34)
