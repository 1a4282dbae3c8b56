"""Faiss indexes of stored vectors: made in blocks, measured against exact search, searched among some rows."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.port import writing_beside
from allennlp.common.tqdm import Tqdm

from attribution.common.engines import Engine
from attribution.common.kept import discard
from attribution.encoders import Vectors
from attribution.encoders.vectors import Shard, shards
from attribution.retrievers.retriever import Retrieved

ROWS_PER_BLOCK = 65_536
BLOCKS_PER_SAVE = 4

_PARTIAL = "partial.faiss"


class Recipe(NamedTuple):
    """What an index depends on, beside its vectors."""

    factory: str
    """For faiss's `index_factory`."""
    metric: str
    parameters: str
    """For faiss's `ParameterSpace`, set before rows are added."""
    train_rows: int
    seed: int


def _deft(rows: int, dimension: int) -> Tuple[str, str]:
    return f"OPQ8_{min(512, dimension // 8 * 8)},HNSW512,PQ8", "efConstruction=200,efSearch=128"


def _flat(rows: int, dimension: int) -> Tuple[str, str]:
    return "Flat", ""


def _sq8(rows: int, dimension: int) -> Tuple[str, str]:
    return "SQ8", ""


def _hnsw(rows: int, dimension: int) -> Tuple[str, str]:
    return "HNSW32,SQ8", "efConstruction=200,efSearch=1024"


def _ivf(rows: int, dimension: int) -> Tuple[str, str]:
    # Faiss wants 39 rows a list to train on.
    lists = max(1, min(int(4 * rows**0.5), rows // 39))
    return f"IVF{lists},SQ8", f"nprobe={max(1, lists // 8)}"


# Each: rows of the pool and dimension of its vectors to a factory string and parameters.
PRESETS: Dict[str, Callable[[int, int], Tuple[str, str]]] = {
    "deft": _deft,
    "flat": _flat,
    "sq8": _sq8,
    "hnsw": _hnsw,
    "ivf": _ivf,
}


def preset_for(rows: int) -> str:
    """What `auto` takes."""
    if rows <= 50_000:
        return "flat"
    return "sq8" if rows <= 2_000_000 else "ivf"


def load_faiss() -> Any:
    """
    # Raises

    `ConfigurationError` if the library is not there.
    """
    try:
        import faiss
    except ImportError as error:
        raise ConfigurationError("retriever faiss: faiss is not installed; pip install faiss-cpu") from error
    return faiss


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turns what faiss raises into a `ConfigurationError` of one line, which begins with `what`."""
    try:
        yield
    except RuntimeError as error:
        reason = re.split(r"Error: |\.cpp:\d+: ", str(error).strip().splitlines()[-1])[-1]
        raise ConfigurationError(f"{what}: {reason}") from error


def build(recipe: Recipe, vectors: Vectors, folder: Path, engine: Engine) -> Any:
    """
    An index of all vectors. It is saved in `folder` every so many rows, and goes on from there. Where its type can be
    merged, blocks of rows are coded by the engine's workers; a graph grows in this process, and is the same each time
    if faiss has one thread (`OMP_NUM_THREADS=1`).

    # Raises

    `ConfigurationError` if faiss cannot make such an index of such vectors.
    """
    partial = folder / _PARTIAL
    with refused(f"faiss {recipe.factory} {recipe.parameters}".strip()):
        index = _begun(partial, recipe, vectors)
        left = [block for block in shards(len(vectors), ROWS_PER_BLOCK) if block.first >= index.ntotal]
        progress = Tqdm.tqdm(_added(index, recipe.seed, vectors, left, engine), desc="indexing", total=len(left))
        for number, _ in enumerate(progress, 1):
            if number % BLOCKS_PER_SAVE == 0 and number < len(left):
                write_index(index, partial)
    partial.unlink()
    return index


def _begun(partial: Path, recipe: Recipe, vectors: Vectors) -> Any:
    """What an interrupted run has left of such an index, or one that is trained and without rows."""
    faiss = load_faiss()
    if partial.is_file():
        try:
            index = faiss.read_index(str(partial))
        except RuntimeError:
            discard(partial, "cannot be read")
        else:
            if index.d == vectors.take(np.zeros(1, dtype=np.int64)).shape[1] and index.ntotal <= len(vectors):
                return index
            discard(partial, f"has {index.ntotal} rows of {index.d} numbers")
    write_index(_trained(recipe, vectors), partial)
    return faiss.read_index(str(partial))


def write_index(index: Any, path: Path) -> None:
    """Writes an index beside its place and renames it."""
    with writing_beside(path) as beside:
        load_faiss().write_index(index, beside)


def read_index(path: Path, factory: str) -> Any:
    """Memory-mapped: inverted lists by one of faiss's two ways, codes and graphs by the other."""
    faiss = load_faiss()
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP if "IVF" in factory else faiss.IO_FLAG_MMAP_IFC)


def on_gpus(index: Any) -> Any:
    """On all GPUs, where the library knows some and has this type for them."""
    faiss = load_faiss()
    if not faiss.get_num_gpus():
        return index
    try:
        return faiss.index_cpu_to_all_gpus(index)
    except RuntimeError:
        return index


def empty_index(recipe: Recipe, dimension: int) -> Any:
    """
    # Raises

    `ConfigurationError` if the library does not make such an index.
    """
    faiss = load_faiss()
    metric = {"l2": faiss.METRIC_L2, "inner_product": faiss.METRIC_INNER_PRODUCT}[recipe.metric]
    with refused(f"faiss {recipe.factory} {recipe.parameters}".strip()):
        index = faiss.index_factory(dimension, recipe.factory, metric)
        faiss.ParameterSpace().set_index_parameters(index, recipe.parameters)
    if index.metric_type != metric:
        raise ConfigurationError(f"faiss makes {recipe.factory} for one metric only: say metric: 'l2'")
    return index


def _trained(recipe: Recipe, vectors: Vectors) -> Any:
    faiss = load_faiss()
    rows = min(recipe.train_rows, len(vectors))
    sample = np.sort(np.random.default_rng(recipe.seed).choice(len(vectors), rows, replace=False))
    training = vectors.take(sample)
    index = empty_index(recipe, training.shape[1])
    inner = _inner(index)
    quantizer = faiss.downcast_index(inner.storage) if isinstance(inner, faiss.IndexHNSW) else inner
    if isinstance(quantizer, faiss.IndexPQ):
        quantizer.do_polysemous_training = False  # Renumbers centroids, for a search that is not used, at great cost.
    index.train(training)
    return index


def _added(index: Any, seed: int, vectors: Vectors, blocks: List[Shard], engine: Engine) -> Iterator[None]:
    """Adds a block to `index` at each step."""
    faiss = load_faiss()
    inner = _inner(index)
    empty = faiss.deserialize_index(faiss.serialize_index(index))
    empty.reset()
    if _can_merge(index, empty):
        for part in engine.map(_Fill(faiss.serialize_index(empty), vectors), blocks):
            index.merge_from(faiss.deserialize_index(part), index.ntotal if isinstance(inner, faiss.IndexIVF) else 0)
            yield
        return
    for block in blocks:
        if isinstance(inner, faiss.IndexHNSW):
            # Its levels are drawn anew from here, so that a build that goes on draws what one without a stop does.
            inner.hnsw.rng = faiss.RandomGenerator(seed + block.first)
        index.add(vectors.take(np.arange(block.first, block.end)))
        yield


class _Fill:
    """A block of rows to an index of them alone."""

    def __init__(self, empty: np.ndarray, vectors: Vectors) -> None:
        self.empty = empty
        self.vectors = vectors

    def __call__(self, block: Shard) -> np.ndarray:
        faiss = load_faiss()
        index = faiss.deserialize_index(self.empty)
        index.add(self.vectors.take(np.arange(block.first, block.end)))
        return faiss.serialize_index(index)


def _can_merge(index: Any, other: Any) -> bool:
    try:
        index.check_compatible_for_merge(other)
    except RuntimeError:
        return False
    return True


def _inner(index: Any) -> Any:
    """What is behind the rotations and projections."""
    faiss = load_faiss()
    return faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index


class IndexSearch:
    """
    The nearest of an index's rows.

    # Parameters

    index : `faiss.Index`
    allowed : `np.ndarray`, optional (default = all rows)
        The rows that may be found, in increasing order, int64.
    """

    def __init__(self, index: Any, allowed: Optional[np.ndarray] = None) -> None:
        faiss = load_faiss()
        self.index = _inner(index)
        self.transforms = [index.chain.at(n) for n in range(index.chain.size())] if self.index is not index else []
        self.of = index  # It owns the other two.
        self.sign = -1 if index.metric_type == faiss.METRIC_L2 else 1
        self.rows = index.ntotal if allowed is None else len(allowed)
        self.allowed: Optional[np.ndarray] = None
        self.selector = None
        if self.rows < index.ntotal:
            self.allowed = np.zeros(index.ntotal, dtype=bool)
            self.allowed[allowed] = True
            self.bits = np.packbits(self.allowed, bitorder="little")
            self.selector = faiss.IDSelectorBitmap(self.bits)

    def nearest(self, queries: np.ndarray, k: int) -> Retrieved:
        """
        Of equal scores among the found rows the first in the pool first. Queries for which a graph or the probed lists
        yield fewer than `k` rows, though there are more, go through all codes.
        """
        faiss = load_faiss()
        for transform in self.transforms:
            queries = transform.apply(queries)
        found = self._search(self.index, queries, k, None)
        short = (found.ids >= 0).sum(axis=1) < min(k, self.rows)
        if short.any() and isinstance(self.index, faiss.IndexHNSW):
            found.ids[short], found.scores[short] = self._search(
                faiss.downcast_index(self.index.storage), queries[short], k, None
            )
        elif short.any() and isinstance(self.index, faiss.IndexIVF):
            found.ids[short], found.scores[short] = self._search(self.index, queries[short], k, self.index.nlist)
        return found

    def _search(self, index: Any, queries: np.ndarray, k: int, lists: Optional[int]) -> Retrieved:
        if self.selector is None and lists is None:
            return self._ordered(index.search(queries, k), k)
        try:
            return self._ordered(index.search(queries, k, params=self._parameters(index, lists)), k)
        except RuntimeError:  # This type takes no selector: more rows than asked for, of which the allowed ones stay.
            wide = k
            while True:
                wide = min(2 * wide, self.index.ntotal)
                best = self._ordered(index.search(queries, wide), k)
                if wide == self.index.ntotal or (best.ids[:, : min(k, self.rows)] >= 0).all():
                    return best

    def _parameters(self, index: Any, lists: Optional[int]) -> Any:
        faiss = load_faiss()
        if isinstance(index, faiss.IndexHNSW):
            return faiss.SearchParametersHNSW(sel=self.selector, efSearch=index.hnsw.efSearch)
        if isinstance(index, faiss.IndexIVF):
            return faiss.SearchParametersIVF(sel=self.selector, nprobe=lists or index.nprobe)
        return faiss.SearchParameters(sel=self.selector)

    def _ordered(self, found: Tuple[np.ndarray, np.ndarray], k: int) -> Retrieved:
        """Of faiss's distances and ids, each of shape (queries, any), the `k` best that may be found."""
        distances, ids = found
        there = ids >= 0
        if self.allowed is not None:
            there &= self.allowed[ids]
        scores = np.where(there, self.sign * distances, -np.inf).astype(np.float32)
        ids = np.where(there, ids, -1)
        if ids.shape[1] < k:
            missing = ((0, 0), (0, k - ids.shape[1]))
            ids, scores = np.pad(ids, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf)
        order = np.lexsort((ids, -scores), axis=1)[:, :k]
        return Retrieved(np.take_along_axis(ids, order, axis=1), np.take_along_axis(scores, order, axis=1))
