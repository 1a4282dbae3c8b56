"""Words in common, weighted: BM25, with Lucene's words and weights that are computed beforehand."""

import tempfile
from collections import Counter
from contextlib import ExitStack
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
import scipy.sparse
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.common.util import lazy_groups_of

from attribution.common.artefacts import is_whole, new_artefact
from attribution.common.engines import Engine, InProcessEngine
from attribution.common.manifest import INDEX, Identity, read_json, write_json
from attribution.retrievers.pool import Pool, PoolPart
from attribution.retrievers.retriever import Best, Retrieved, Retriever
from attribution.retrievers.words import Words

_VOCABULARY = "vocabulary.json"
_PARTS_PER_BLOCK = 16  # The scores of a block's rows are summed in one array, which a processor's cache holds.


@Retriever.register("bm25")
class Bm25Retriever(Retriever):
    """
    BM25 in Lucene's form (Kamphuis et al., 2020), over the stems of the prompts' words, each word's weight in each row
    computed beforehand (Lù, 2024, https://arxiv.org/abs/2407.03618): without a Java what DEFT's pyserini path does. A
    row that shares no word with a query is not found by it: a query may find fewer rows than it asks for, or none.
    Words are weighted by how rare they are in the whole pool, excluded tasks or not.

    English words are those of Lucene's analyzer, see `Words`. What differs: words longer than 255 characters, which
    Lucene cuts into pieces of 255; characters that are newer than Unicode 12.1, or another kind since; punctuation for
    vertical lines between two digits; doubled y before -ed and -ing. Scores differ, too, unless `lucene_lengths` is
    set, by up to 4%, for rows of more than 40 words.

    With the extra `numba` the search is compiled, and about twice as fast.

    Registered as a `Retriever` with name "bm25".

    # Parameters

    k1 : `float`, optional (default = `0.9`)
        How soon a repeated word counts no more; pyserini's value.
    b : `float`, optional (default = `0.4`)
        How much longer rows count less; pyserini's value.
    language : `str`, optional (default = `"english"`)
        Of the stop words and of the stemmer (for English Porter's, else the Snowball stemmer of that name).
    index : `str`, optional
        The directory of the index: made if it is not there, used if it is of this pool and these settings, and read
        through memory maps. By default it lives as long as the search.
    lucene_lengths : `bool`, optional (default = `False`)
        Count as Lucene does: a row's length as one byte holds it (exact up to 40 words, then rounded down: 41 as 40,
        100 as 96), and rows without a word not at all. By default lengths are exact, and every row counts.
    """

    def __init__(
        self,
        k1: float = 0.9,
        b: float = 0.4,
        language: str = "english",
        index: Optional[str] = None,
        lucene_lengths: bool = False,
    ) -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise ConfigurationError(f"bm25: k1 is {k1}, b is {b}; k1 >= 0 and 0 <= b <= 1 are needed")
        self.k1 = k1
        self.b = b
        self.language = language
        self.index = index
        self.lucene_lengths = lucene_lengths

    def identity(self) -> Identity:
        return {"words": Words(self.language).identity()}

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        engine = engine or InProcessEngine()
        words = Words(self.language)
        wanted = words.of(queries)
        with ExitStack() as stack:
            index = Path(self.index or stack.enter_context(tempfile.TemporaryDirectory()))
            self._make(index, pool.whole(), words, engine)
            vocabulary = read_json(index / _VOCABULARY, f"remove {index}, and it is made again")
            numbers = [vocabulary.get(word) for word in wanted.words]
            known = [[numbers[word] for word in query if numbers[word] is not None] for query in wanted.rows]
            search = _Search(known, k)
            best = Best(len(queries), k)
            for found in engine.map(search, _blocks(index, pool)):
                best.add(found)
        return best.retrieved()

    def _make(self, index: Path, pool: Pool, words: Words, engine: Engine) -> None:
        settings = {"k1": self.k1, "b": self.b, "language": self.language, "lucene_lengths": self.lucene_lengths}
        identity = {"retriever": "bm25", **settings, "pool": pool.identity(), "words": words.identity()}
        if is_whole(index, identity):
            return
        with new_artefact(index, INDEX, pool.files, settings, identity) as folder:
            numbers: Dict[str, int] = {}
            counts: List[Path] = []
            rows_with, lengths = np.zeros(0), [np.zeros(0)]
            for part in engine.map(_Count(words), pool.parts("reading the pool's words")):
                known = np.array([numbers.setdefault(word, len(numbers)) for word in part.words], dtype=np.int32)
                rows_with = np.concatenate([rows_with, np.zeros(len(numbers) - len(rows_with))])
                rows_with[known] += np.bincount(part.counts.indices, minlength=len(known))
                lengths.append(part.counts.sum(axis=1))
                counts.append(folder / f"counts_{len(counts)}.npz")
                renumbered = (part.counts.data, known[part.counts.indices], part.counts.indptr)
                scipy.sparse.save_npz(
                    counts[-1],
                    scipy.sparse.csr_array(renumbered, shape=(part.counts.shape[0], len(numbers))),
                    compressed=False,
                )
            self._weigh(counts, rows_with, np.concatenate(lengths))
            write_json(folder / _VOCABULARY, numbers)

    def _weigh(self, counts: List[Path], rows_with: np.ndarray, lengths: np.ndarray) -> None:
        """From counts to weights, a block at a time, now that the whole pool's words are known."""
        counted = lengths[lengths > 0] if self.lucene_lengths else lengths
        mean_length = counted.sum() / max(1, len(counted)) or 1.0
        idf = np.log1p((len(counted) - rows_with + 0.5) / (rows_with + 0.5))
        stored = _in_a_byte(lengths) if self.lucene_lengths else lengths
        first = 0
        for paths in lazy_groups_of(Tqdm.tqdm(counts, desc="weighing words", unit="part"), _PARTS_PER_BLOCK):
            parts = [scipy.sparse.load_npz(path) for path in paths]
            for part in parts:
                part.resize(part.shape[0], len(rows_with))
            block = scipy.sparse.vstack(parts, format="csr")
            norms = self.k1 * (1 - self.b + self.b * stored[first : first + block.shape[0]] / mean_length)
            repeated = np.repeat(norms, np.diff(block.indptr))
            block.data = (idf[block.indices] * block.data / (block.data + repeated)).astype(np.float32)
            block = block.tocsc()
            folder = paths[0].with_name(f"block_{first:010d}_{block.shape[0]}")
            folder.mkdir(exist_ok=True)
            for name in ("data", "indices", "indptr"):
                np.save(folder / f"{name}.npy", getattr(block, name), allow_pickle=False)
            first += block.shape[0]
            for path in paths:
                path.unlink()


class _WordCounts(NamedTuple):
    """The words of a part of the pool."""

    words: List[str]
    counts: scipy.sparse.csr_array
    """How often each row has each word. Shape: (rows, words)."""


class _Count:
    """Texts to how often they have their words."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def __call__(self, part: PoolPart) -> _WordCounts:
        words, rows = self.words.of(part.texts)
        flat = np.fromiter(chain.from_iterable(rows), dtype=np.int32)
        ends = np.cumsum([0, *map(len, rows)])
        counts = scipy.sparse.csr_array((np.ones(len(flat)), flat, ends), shape=(len(rows), len(words)))
        counts.sum_duplicates()
        return _WordCounts(words, counts)


def _in_a_byte(lengths: np.ndarray) -> np.ndarray:
    """What Lucene's `SmallFloat.byte4ToInt(intToByte4(length))` leaves: the four highest bits of what is over 24."""
    over = np.maximum(lengths.astype(np.int64) - 24, 0)
    dropped = np.maximum(np.frexp(over)[1] - 4, 0)
    return np.where(lengths < 24, lengths, 24 + (over >> dropped << dropped))


class _Block(NamedTuple):
    """Consecutive rows of the index."""

    folder: Path
    ids: np.ndarray
    """Those of its rows that may be retrieved."""
    first: int
    rows: int


class _Search:
    """A block of the index to the `k` rows in it that are best for each query."""

    def __init__(self, queries: List[List[int]], k: int) -> None:
        different = [Counter(words) for words in queries]
        self.queries = [
            (np.array(list(words), dtype=np.int64), np.array(list(words.values()), dtype=np.float32))
            for words in different
        ]
        self.k = k

    def __call__(self, block: _Block) -> Retrieved:
        files = (block.folder / f"{name}.npy" for name in ("data", "indices", "indptr"))
        arrays = (np.load(file, mmap_mode="r", allow_pickle=False) for file in files)
        weights, rows, ends = map(np.asarray, arrays)  # Still maps of the files, but cut faster.
        allowed = np.zeros(block.rows, dtype=np.float32)
        allowed[block.ids - block.first] = 1
        ids = np.full((len(self.queries), self.k), -1)
        scores = np.full((len(self.queries), self.k), -np.inf, dtype=np.float32)
        add = _adder()
        for query, (words, times) in enumerate(self.queries):
            found = np.zeros(block.rows, dtype=np.float32)
            add(found, rows, weights, ends, words, times)
            found *= allowed
            best = _best(found, self.k)
            ids[query, : len(best)] = block.first + best
            scores[query, : len(best)] = found[best]
        return Retrieved(ids, scores)


@cache
def _adder() -> Callable[..., None]:
    """Adds the weights of a query's words to the scores of the rows: compiled, where numba is installed."""
    try:
        import numba
    except ImportError:
        return _add
    return numba.njit(_add_one_by_one)


def _add(scores: Any, rows: Any, weights: Any, ends: Any, words: Any, times: Any) -> None:
    for word, count in zip(words, times):
        part = slice(ends[word], ends[word + 1])
        np.add.at(scores, rows[part], weights[part] * count)


def _add_one_by_one(scores: Any, rows: Any, weights: Any, ends: Any, words: Any, times: Any) -> None:
    for word, count in zip(words, times):
        for place in range(ends[word], ends[word + 1]):
            scores[rows[place]] += weights[place] * count


def _blocks(index: Path, pool: Pool) -> Iterator[_Block]:
    ids = pool.ids("reading the pool")
    for folder in Tqdm.tqdm(sorted(index.glob("block_*")), desc="searching", unit="block"):
        first, rows = map(int, folder.name.split("_")[1:])
        inside = ids[np.searchsorted(ids, first) : np.searchsorted(ids, first + rows)]
        if len(inside):
            yield _Block(folder, inside, first, rows)


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """The places of the `k` highest scores above zero, highest first, of equal ones the first place first."""
    # The k-th highest of the maxima of some groups is no more than the k-th highest score, and found much sooner.
    groups = 4 * k
    maxima = scores[: len(scores) // groups * groups].reshape(-1, groups).max(axis=0, initial=0)
    least = np.partition(maxima, groups - k)[groups - k]
    candidates = np.flatnonzero((scores >= least) & (scores > 0))
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]
