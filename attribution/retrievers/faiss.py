"""Approximate nearest neighbours: any index of the faiss library, with its measured recall."""

import logging
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import is_whole, new_artefact
from attribution.common.engines import Engine, InProcessEngine
from attribution.common.manifest import INDEX, Identity, read_json, write_json
from attribution.encoders import Encoder, Vectors
from attribution.encoders.vectors import check_widths, missing_shards, shards, source, write_shard
from attribution.retrievers.exact import METRICS, Nearest, exact_scores, stored_parts
from attribution.retrievers.faiss_index import (
    PRESETS,
    IndexSearch,
    Recipe,
    build,
    empty_index,
    load_faiss,
    on_gpus,
    preset_for,
    read_index,
    refused,
    write_index,
)
from attribution.retrievers.pool import ROWS_PER_PART, Pool, PoolPart
from attribution.retrievers.retriever import Best, Retrieved, Retriever

logger = logging.getLogger(__name__)

INDEX_FILE = "index.faiss"
ABOUT_FILE = "index.json"
_VECTORS = "vectors"
_CUT = "texts_cut.json"
_RECALL_AT = (10, 100, 500)
_NEARLY = 1e-5  # Scores of equal vectors that were computed in other batches differ by less.


@Retriever.register("faiss")
class FaissRetriever(Retriever):
    """
    Nearest neighbours by an index of the faiss library (Douze et al., 2024, https://arxiv.org/abs/2401.08281). The
    index is of the whole pool; excluded tasks are left out in the search. Each index is measured when it is made:
    `index.json` beside it has its recall among the 10, 100 and 500 nearest, and the bytes it takes for each vector.

    The presets:

    - `flat`: every vector as it is; exact.
    - `sq8`: one byte a dimension, all rows compared.
    - `ivf`: one byte a dimension, in lists of which an eighth is looked at; their number follows the pool's size.
    - `hnsw`: one byte a dimension, in a graph (32 links, efConstruction 200, efSearch 1024).
    - `deft`: DEFT's published index, `OPQ8_512,HNSW512,PQ8` with efConstruction 200 and efSearch 128, which faiss
      makes for `l2` only. A rotation cannot add dimensions: shorter vectors keep as many as eight divides.

    Registered as a `Retriever` with name "faiss".

    # Parameters

    encoder : `Encoder`
        Used for queries and pool alike.
    factory : `str`, optional (default = `"auto"`)
        A preset, what faiss's `index_factory` takes, or `auto`: `flat` up to 50,000 rows, `sq8` up to 2,000,000, `ivf`
        beyond.
    metric : `str`, optional (default = `"inner_product"`)
        `inner_product` (the cosine, if the encoder normalizes) or `l2`, whose scores are negative squared distances.
    vectors : `str`, optional
        A directory that `allennlp embed` wrote with this pool and an equal encoder. Without it the pool is encoded
        first, into the index's directory, and the vectors are removed when the index is made.
    index : `str`, optional
        The directory of the index: made if it is not there, used if it is of this pool, encoder and settings, and read
        through a memory map. A build that was killed goes on. By default it lives as long as the search.
    parameters : `str`, optional
        For faiss's `ParameterSpace`, after the preset's own: `nprobe=16`, `efSearch=256`.
    train_rows : `int`, optional (default = `1_000_000`)
        How many of the pool's vectors, drawn uniformly, an index learns from.
    recall_queries : `int`, optional (default = `100`)
        How many of the pool's vectors are searched for to measure recall.
    seed : `int`, optional (default = `0`)
        Of both draws and of a graph's levels.
    """

    def __init__(
        self,
        encoder: Encoder,
        factory: str = "auto",
        metric: str = "inner_product",
        vectors: Optional[str] = None,
        index: Optional[str] = None,
        parameters: Optional[str] = None,
        train_rows: int = 1_000_000,
        recall_queries: int = 100,
        seed: int = 0,
    ) -> None:
        if metric not in METRICS:
            raise ConfigurationError(f"faiss: metric {metric!r} is none of {', '.join(METRICS)}")
        if train_rows < 1 or recall_queries < 1:
            raise ConfigurationError(
                f"faiss: train_rows is {train_rows}, recall_queries is {recall_queries}; at least one is needed of each"
            )
        load_faiss()
        self.encoder = encoder
        self.factory = factory
        self.metric = metric
        self.vectors = None if vectors is None else Vectors(vectors)
        self.index = index
        self.parameters = parameters
        self.train_rows = train_rows
        self.recall_queries = recall_queries
        self.seed = seed
        self._about: Dict[str, Any] = {}
        self._texts_cut = 0

    def about(self) -> Dict[str, Any]:
        """
        The index's `factory`, its measured `recall` by number of neighbours, and `bytes_per_vector`. How many
        `texts_cut` there were, of queries and of rows that were encoded for the index, now or when it was made.
        """
        about = {**self._about, "texts_cut": self._texts_cut}
        return {key: about[key] for key in ("factory", "recall", "bytes_per_vector", "texts_cut") if about.get(key)}

    def identity(self) -> Identity:
        return {"encoder": self.encoder.identity}

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        before = self.encoder.texts_cut
        encoded = self.encoder.encode_queries(queries)
        self._texts_cut = self.encoder.texts_cut - before
        recipe = self._recipe(len(pool.rows), encoded.shape[1])
        with ExitStack() as stack:
            directory = Path(self.index or f"{stack.enter_context(tempfile.TemporaryDirectory())}/index")
            self._make(directory, recipe, encoded.shape[1], pool, engine or InProcessEngine())
            index, self._about = _open(directory, recipe)
            self._texts_cut += self._about.get("texts_cut", 0)  # An older index does not say.
            allowed = pool.ids("reading the pool")
            if len(allowed) == index.ntotal:
                index = on_gpus(index)
            return IndexSearch(index, allowed).nearest(encoded, k)

    def _recipe(self, rows: int, dimension: int) -> Recipe:
        name = self.factory
        if name == "auto":
            name = preset_for(rows)
            logger.info("faiss: auto takes %s for %d rows", name, rows)
        factory, preset_parameters = PRESETS[name](rows, dimension) if name in PRESETS else (name, "")
        parameters = ",".join(filter(None, [preset_parameters, self.parameters]))
        return Recipe(factory, self.metric, parameters, self.train_rows, self.seed)

    def _make(self, directory: Path, recipe: Recipe, dimension: int, pool: Pool, engine: Engine) -> None:
        origin = source(pool.identity(), self.encoder)
        identity = index_identity(recipe, origin, "float32" if self.vectors is None else self.vectors.identity["dtype"])
        if is_whole(directory, identity):
            return
        empty_index(recipe, dimension)  # A mistake in the recipe comes before the work.
        with new_artefact(directory, INDEX, pool.files, recipe._asdict(), identity, goes_on=True) as folder:
            if not (folder / ABOUT_FILE).is_file():  # Else who was killed was about to remove the vectors.
                vectors = self.vectors or self._encoded(folder / _VECTORS, pool.whole(), origin, engine)
                vectors.check(origin)
                index = build(recipe, vectors, folder, engine)
                write_index(index, folder / INDEX_FILE)
                about = {
                    "factory": recipe.factory,
                    "recall": self._recall(IndexSearch(index), vectors, engine),
                    "bytes_per_vector": (folder / INDEX_FILE).stat().st_size / len(vectors),
                    "rows": index.ntotal,
                    "dimension": index.d,
                    "texts_cut": _texts_cut(folder / _VECTORS),
                }
                write_json(folder / ABOUT_FILE, about)
            shutil.rmtree(folder / _VECTORS, ignore_errors=True)

    def _encoded(self, directory: Path, pool: Pool, origin: Identity, engine: Engine) -> Vectors:
        """The pool's vectors as `allennlp embed` writes them."""
        rows = len(pool.rows)
        identity = {**origin, "rows": rows, "dtype": "float32", "shard_rows": ROWS_PER_PART}
        if not is_whole(directory, identity):
            with new_artefact(directory, "embed", pool.files, {}, identity, goes_on=True) as folder:
                every = shards(rows, ROWS_PER_PART)
                there = [shard for shard in every if (folder / shard.file).exists()]
                left = missing_shards(folder, every, "float32")
                if left != every[len(there) :]:  # How many texts were cut before the one that was damaged is not known.
                    left = every
                parts = (part for part in pool.parts("encoding the pool") if left and part.ids[0] >= left[0].first)
                cut = _texts_cut(folder, left[0].first if left else rows) if left != every else 0
                for encoded, shard in zip(engine.map(_Encode(self.encoder), parts), left):
                    # Before the shard, so that whoever goes on counts each once.
                    write_json(folder / _CUT, {"first": shard.first, "before": cut, "in_it": encoded.texts_cut})
                    write_shard(folder, shard, encoded.vectors)
                    cut += encoded.texts_cut
                check_widths(folder, every)
        return Vectors(directory)

    def _recall(self, search: IndexSearch, vectors: Vectors, engine: Engine) -> Dict[str, float]:
        """
        The share of an index's first k rows that are as near as the k-th nearest row, by k. Queries are rows of the
        pool, drawn uniformly; they are left out of what they find, and of what there is to find. Rows that are equally
        near count alike, so that copies in the pool do not look like mistakes.
        """
        rows = len(vectors)
        generator = np.random.default_rng([self.seed, 1])
        numbers = np.sort(generator.choice(rows, min(self.recall_queries, rows), replace=False))
        queries = vectors.take(numbers)
        most = max((k for k in _RECALL_AT if k < rows), default=0)
        best = Best(len(queries), most + 1)
        nearest = Nearest(self.encoder, queries, self.metric, most + 1)
        for part in engine.map(nearest, stored_parts(vectors, np.arange(rows))):
            best.add(part.found)
        found = search.nearest(queries, most + 1).ids
        hits: Dict[str, Any] = {str(k): [] for k in _RECALL_AT if k < rows}
        for number, query, ids, exact_ids, exact in zip(numbers, queries, found, best.ids, best.scores):
            others = exact[exact_ids != number]
            ids = ids[(ids != number) & (ids >= 0)]
            scores = exact_scores(query[None], vectors.take(ids), self.metric)[0]
            for k in map(int, hits):
                least = others[k - 1] - _NEARLY * max(1.0, float(query @ query))
                hits[str(k)].append((scores[:k] >= least).sum() / k)
        return {k: round(float(np.mean(values)), 4) for k, values in hits.items()}


def index_identity(recipe: Recipe, origin: Identity, dtype: str = "float32") -> Identity:
    """
    What an index is used for.

    # Parameters

    origin : `Dict[str, Any]`
        `source` of its vectors.
    """
    return {"retriever": "faiss", **origin, **recipe._asdict(), "dtype": dtype}


class _Encoded(NamedTuple):
    """A part of the pool."""

    vectors: np.ndarray
    texts_cut: int


class _Encode:
    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def __call__(self, part: PoolPart) -> _Encoded:
        before = self.encoder.texts_cut
        vectors = self.encoder.encode(part.texts)
        return _Encoded(vectors, self.encoder.texts_cut - before)


def _texts_cut(folder: Path, missing: Optional[int] = None) -> int:
    """Of the vectors that were encoded into a folder, up to the row `missing`; none where they were there before."""
    if not (folder / _CUT).is_file():
        return 0
    last = read_json(folder / _CUT, f"remove {folder}, and it is made again")
    return last["before"] + (0 if last["first"] == missing else last["in_it"])


def _open(directory: Path, recipe: Recipe) -> Tuple[Any, Dict[str, Any]]:
    """The index, and what was written of it."""
    path = directory / INDEX_FILE
    again = f"remove {directory}, and it is made again"
    about = read_json(directory / ABOUT_FILE, again)
    with refused(f"{path}: cannot be read; {again}"):
        return read_index(path, recipe.factory), about
