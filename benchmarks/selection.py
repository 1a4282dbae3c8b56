"""
Greedy mutual information over 200 checkpoints against the published algorithm (two inverses for every candidate and
step), with the same picks; and over 5,000 for k=100, with its peak memory. Run: `python -m benchmarks.selection`.
"""

import os
import resource
import subprocess
import sys
import time
from statistics import median
from typing import List

import numpy as np

from attribution.selection import Covariance, MaxMutualInformation

MEMBERS, K = 200, 10
LARGE, LARGE_K = 5_000, 100
PAIRS = 3


def correlations(size: int) -> np.ndarray:
    """Of members in families of ten, each with much of its own."""
    generator = np.random.default_rng(0)
    features = np.repeat(generator.normal(size=(size // 10, 64)), 10, axis=0)
    features += generator.uniform(0.3, 1.5, size=(size, 1)) * generator.normal(size=(size, 64))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    values = features @ features.T
    values *= 0.8
    np.fill_diagonal(values, 1)
    return values


def ours(values: np.ndarray, k: int) -> List[int]:
    """With the checks of the covariance."""
    return MaxMutualInformation().pick(Covariance([str(number) for number in range(len(values))], values), k)


def published(values: np.ndarray, k: int) -> List[int]:
    """The candidate's variance given the chosen over that given the rest, each with an inverse of its own."""
    picked: List[int] = []
    left = list(range(len(values)))

    def variance(member: int, known: List[int]) -> float:
        if not known:
            return 1.0
        cross = values[member, known]
        return 1 - cross @ np.linalg.inv(values[np.ix_(known, known)]) @ cross

    for _ in range(k):
        ratios = [
            variance(member, picked) / variance(member, [other for other in left if other != member]) for member in left
        ]
        picked.append(left.pop(int(np.argmax(ratios))))
    return picked


def timed(way: str, values: np.ndarray, k: int) -> float:
    function = {"ours": ours, "published": published}[way]
    start = time.perf_counter()
    function(values, k)
    return time.perf_counter() - start


def measure_large() -> None:
    """In a process of its own: prints seconds and the peak memory beyond what was there before."""
    values = correlations(LARGE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = timed("ours", values, LARGE_K)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(
        f"{LARGE} members, k={LARGE_K}: {seconds:.1f} s, {grown / values.nbytes:.1f} matrices more than the covariance"
    )


def main() -> None:
    values = correlations(MEMBERS)
    assert ours(values, K) == published(values, K)
    fast = [median(timed("ours", values, K) for _ in range(20)) for _ in range(PAIRS)]
    slow = [timed("published", values, K) for _ in range(PAIRS)]
    print(f"{MEMBERS} members, k={K}, the same picks: {median(slow):.2f} s published, {median(fast) * 1e3:.2f} ms ours")
    ratios = [one / two for one, two in zip(slow, fast)]
    print(f"published over ours: {median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})")
    threads = {"OMP_NUM_THREADS": "1", **os.environ}
    subprocess.run([sys.executable, "-m", "benchmarks.selection", "large"], check=True, env=threads)


if __name__ == "__main__":
    measure_large() if len(sys.argv) > 1 else main()
