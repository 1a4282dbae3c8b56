"""
Faiss presets on the real vectors of the pool's first 10,000 and 100,000 rows: recall against exact search, bytes per
vector, seconds to build, queries a second. Run: `python -m benchmarks.faiss_presets ENCODER FOLDER [PRESET ...]`, where
ENCODER is a sentence-transformers model; its vectors (texts cut to 32 tokens) are kept in FOLDER for the next run.
"""

import gzip
import sys
import tempfile
import time
from copy import copy
from itertools import islice
from pathlib import Path

import numpy as np
from allennlp.common import Params

from attribution.commands.embed import Embedding
from attribution.common.artefacts import is_whole, new_artefact
from attribution.common.engines import InProcessEngine
from attribution.encoders import Vectors
from attribution.retrievers.exact import Nearest, stored_parts
from attribution.retrievers.faiss_index import PRESETS, IndexSearch, Recipe, build, read_index, write_index
from attribution.retrievers.retriever import Best
from benchmarks.rows import pool_path

QUERIES, SIZES, AT = 200, (10_000, 100_000), (10, 100, 500)


def vectors_of(encoder: str, folder: Path, rows: int) -> Vectors:
    """Of the pool's first rows, as `allennlp embed` makes them, once."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = folder / "pool.jsonl"
    if not pool.is_file():
        with gzip.open(pool_path(), "rt", encoding="utf-8") as file:
            pool.write_text("".join(islice(file, rows)), encoding="utf-8")
    job = Embedding.from_params(
        Params(
            {
                "pool": {"path": str(pool)},
                "encoder": {"type": "sentence_transformers", "model_name": encoder, "max_length": 32},
                "dtype": "float32",
            }
        )
    )
    directory, identity = folder / "vectors", job.identity({})
    if not is_whole(directory, identity):
        with new_artefact(directory, "embed", job.inputs(), {}, identity) as scratch:
            job.run(scratch, InProcessEngine())
    return Vectors(directory)


def first_of(vectors: Vectors, rows: int) -> Vectors:
    part = copy(vectors)
    part.identity = {**vectors.identity, "rows": rows}
    return part


def measure(preset: str, vectors: Vectors, queries: np.ndarray, exact: np.ndarray) -> str:
    """A line of the table. The queries are rows of the pool; their own row is left out on both sides."""
    with tempfile.TemporaryDirectory() as folder:
        factory, parameters = PRESETS[preset](len(vectors), queries.shape[1])
        start = time.perf_counter()
        index = build(Recipe(factory, "l2", parameters, 1_000_000, 0), vectors, Path(folder), InProcessEngine())
        seconds = time.perf_counter() - start
        path = Path(folder) / "index.faiss"
        write_index(index, path)
        search = IndexSearch(read_index(path, factory))
        search.nearest(queries[:10], AT[-1] + 1)
        start = time.perf_counter()
        found = search.nearest(queries, AT[-1] + 1).ids
        rate = len(queries) / (time.perf_counter() - start)
        recalls = [np.mean([_share(one, other, k) for one, other in zip(found, exact)]) for k in AT]
        size = path.stat().st_size / len(vectors)
    shown = " | ".join(f"{recall:.3f}" for recall in recalls)
    return (
        f"| {len(vectors):,} | `{preset}` | `{factory}` | {parameters} | {shown} | {size:,.0f} | {seconds:.0f} |"
        f" {rate:,.0f} |"
    )


def _share(found: np.ndarray, exact: np.ndarray, k: int) -> float:
    """Of what one query found; the last of `exact` is the query's own row."""
    own, nearest = exact[-1], exact[:-1]
    return len(np.intersect1d(found[found != own][:k], nearest[nearest != own][:k])) / k


def exact_neighbours(vectors: Vectors, numbers: np.ndarray) -> np.ndarray:
    """Each query's nearest rows, and at the end its own number. Shape: (queries, most + 2)."""
    queries = vectors.take(numbers)
    best = Best(len(queries), AT[-1] + 1)
    nearest = Nearest(None, queries, "l2", AT[-1] + 1)  # type: ignore[arg-type]  # Stored vectors need no encoder.
    for part in map(nearest, stored_parts(vectors, np.arange(len(vectors)))):
        best.add(part.found)
    return np.hstack([best.ids, numbers[:, None]])


def main() -> None:
    encoder, folder, *presets = sys.argv[1:]
    print("| rows | preset | factory | parameters | recall@10 | @100 | @500 | bytes per vector | build s | queries/s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    everything = vectors_of(encoder, Path(folder), max(SIZES))
    for rows in SIZES:
        vectors = first_of(everything, rows)
        numbers = np.sort(np.random.default_rng(0).choice(rows, QUERIES, replace=False))
        queries, exact = vectors.take(numbers), exact_neighbours(vectors, numbers)
        for preset in presets or PRESETS:
            print(measure(preset, vectors, queries, exact), flush=True)


if __name__ == "__main__":
    main()
