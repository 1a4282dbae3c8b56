"""Few rows that stand for many: sampling by squared distance from what is chosen already."""

from typing import Iterator, Optional

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.encoders import Encoder, Vectors
from attribution.encoders.vectors import source
from attribution.retrievers.pool import Pool
from attribution.retrievers.query_aggregator import RankedRows

_BLOCK = 4096


class Coreset(FromParams):
    """
    Of the rows that were retrieved, few that are spread over all of them: the first centres of k-means++ (Arthur and
    Vassilvitskii, 2007), as DEFT's `coreset_size` has it.

    # Parameters

    encoder : `Encoder`
        Whose vectors the distances are between.
    size : `int`
        How many rows to keep; all, if fewer were retrieved.
    vectors : `str`, optional
        A directory that `allennlp embed` wrote with this pool and an equal encoder; by default the rows are encoded.
    seed : `int`, optional (default = `0`)
    """

    def __init__(self, encoder: Encoder, size: int, vectors: Optional[str] = None, seed: int = 0) -> None:
        if size < 1:
            raise ConfigurationError(f"coreset: size is {size}; at least one is needed")
        self.encoder = encoder
        self.size = size
        self.vectors = None if vectors is None else Vectors(vectors)
        self.seed = seed

    def choose(self, pool: Pool, ranked: RankedRows) -> RankedRows:
        """
        The chosen rows, in the order in which they were chosen.

        # Raises

        `ConfigurationError` if rows are repeated.
        """
        if len(np.unique(ranked.ids)) < len(ranked.ids):
            raise ConfigurationError("coreset: spreads rows out, and the aggregator repeats some; leave out `repeats`")
        if self.vectors is not None:
            self.vectors.check(source(pool.identity(), self.encoder))
            vectors = self.vectors.take(ranked.ids)
        else:
            order = np.argsort(ranked.ids)
            texts = [row.text for row in pool.among(ranked.ids.tolist()).texts("reading the rows for the coreset")]
            vectors = self.encoder.encode(texts)[np.argsort(order)]
        batches = sample_by_distance(vectors, np.random.default_rng(self.seed))
        size = min(self.size, len(vectors))
        chosen = np.concatenate([next(batches) for _ in Tqdm.tqdm(range(size), desc="choosing a coreset")])
        return ranked.take(chosen)


def sample_by_distance(
    vectors: np.ndarray, generator: np.random.Generator, distances: Optional[np.ndarray] = None, batch: int = 1
) -> Iterator[np.ndarray]:
    """
    Draws all vectors' numbers, `batch` different ones at a time, each with a probability in proportion to its squared
    distance from what was drawn before: k-means++'s centres, if it is one at a time. When only copies of what was drawn
    are left, they come in order.

    # Parameters

    vectors : `np.ndarray`
        Shape: (vectors, dimension).
    distances : `np.ndarray`, optional
        Squared distances from what counts as drawn before the first: by default nothing does, and the first is drawn
        uniformly. Shape: (vectors,).
    batch : `int`, optional (default = `1`)
        Distances are brought up to date after so many.

    # Returns

    Arrays of `batch` numbers; the last may be shorter.
    """
    vectors = vectors.astype(np.float64, copy=False)
    left = np.ones(len(vectors), dtype=bool)
    weights = np.ones(len(vectors)) if distances is None else distances.astype(np.float64)
    nearest = None if distances is None else weights
    while left.any():
        size = min(batch, int(left.sum()))
        possible = np.flatnonzero(left & (weights > 0))
        drawn = possible
        if len(possible) > size:
            shares = weights[possible] / weights[possible].sum()
            drawn = generator.choice(possible, size, replace=False, p=shares, shuffle=False)
        elif len(possible) < size:
            copies = np.flatnonzero(left & (weights <= 0))
            drawn = np.concatenate([possible, copies[: size - len(possible)]])
        left[drawn] = False
        yield drawn
        new = squared_distances(vectors, vectors[drawn])
        nearest = new if nearest is None else np.minimum(nearest, new)
        weights = nearest


def squared_distances(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    """From each vector to the nearest of the others, float64. Shape: (vectors,)."""
    nearest = np.full(len(vectors), np.inf)
    norms = np.concatenate([(block**2).sum(1) for block in _blocks(vectors)])
    for other in _blocks(others):
        found = [(other**2).sum(1) - 2 * block @ other.T for block in _blocks(vectors)]
        nearest = np.minimum(nearest, norms + np.concatenate([some.min(1) for some in found]))
    # Of equal vectors rounding leaves a little, of either sign.
    return np.where(nearest < 1e-12 * norms, 0, nearest)


def _blocks(vectors: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(vectors), _BLOCK):
        yield vectors[start : start + _BLOCK].astype(np.float64, copy=False)
