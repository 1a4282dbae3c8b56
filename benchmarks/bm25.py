"""
BM25 over the 118,000 rows of the shared pool, 500 hits a query: this package's index against pyserini's Lucene over the
very same stems, or against rank_bm25 where pyserini is not installed (`make bench-lucene` has it). Queries a second,
seconds to index, bytes on disk, and how much of the two's top 50 is the same. Run: `python -m benchmarks.bm25`, with
ATTRIBUTION_SHARED_DATA naming the folder that has `p3`.
"""

import gzip
import json
import logging
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from attribution.retrievers import Bm25Retriever, Pool
from attribution.retrievers.lucene import _java
from attribution.retrievers.words import Words
from benchmarks.rows import pool_path

TARGETS = ["super_glue-rte", "super_glue-cb", "super_glue-wic", "anli_r3", "hellaswag"]
QUERIES_EACH, HITS, TOP, K1, B = 200, 500, 50, 0.9, 0.4
ROUNDS = 3

logging.disable(logging.WARNING)
os.environ["TQDM_DISABLE"] = "1"

Search = Callable[[Sequence[str]], List[List[int]]]
"""Queries to the ids that each finds, best first."""


def read_queries() -> List[str]:
    queries = []
    for target in TARGETS:
        with gzip.open(Path(pool_path()).with_name(f"{target}.validation.jsonl.gz"), "rt", encoding="utf-8") as file:
            queries += [json.loads(line)["input"] for line, _ in zip(file, range(QUERIES_EACH))]
    return queries


def words_of(texts: Sequence[str]) -> List[List[str]]:
    words, rows = Words().of(texts)
    return [[words[place] for place in row] for row in rows]


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def per_second(search: Search, queries: Sequence[str]) -> float:
    """Queries a second once everything is open: what one query alone takes is taken off."""
    alone = seconds(lambda: search(queries[:1]))
    return (len(queries) - 1) / (seconds(lambda: search(queries)) - alone)


def size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def our_search(folder: str) -> Search:
    pool, retriever = Pool(pool_path()), Bm25Retriever(K1, B, index=folder)

    def search(queries: Sequence[str]) -> List[List[int]]:
        return retriever.retrieve(pool, queries, HITS).ids.tolist()

    taken = seconds(lambda: search(["a"])) - seconds(lambda: search(["a"]))
    print(f"bm25: indexed in {taken:.0f} s from texts, {size(folder) / 2**20:.0f} MiB")
    return search


def index_with_pyserini(stems: List[List[str]], folder: str) -> None:
    from pyserini.index.lucene import LuceneIndexer

    indexer = LuceneIndexer(args=["-index", folder, "-pretokenized"], threads=1)
    for first in range(0, len(stems), 4096):
        rows = enumerate(stems[first : first + 4096], start=first)
        # Zeros before the number: pyserini orders equal scores by the text of the id.
        indexer.add_batch_raw([json.dumps({"id": f"{row:06d}", "contents": " ".join(words)}) for row, words in rows])
    indexer.close()


def pyserini_searches(stems: List[List[str]], folder: str) -> Dict[str, Search]:
    _java()
    os.environ.setdefault("OPENAI_API_KEY", "none")  # pyserini makes a client as it is imported.
    from pyserini.analysis import JWhiteSpaceAnalyzer
    from pyserini.search.lucene import LuceneSearcher

    taken = seconds(lambda: index_with_pyserini(stems, folder))
    print(f"pyserini: indexed in {taken:.0f} s from stems, {size(folder) / 2**20:.0f} MiB")
    searcher = LuceneSearcher(folder)
    searcher.set_bm25(K1, B)
    searcher.set_analyzer(JWhiteSpaceAnalyzer())

    def single(queries: Sequence[str]) -> List[List[int]]:
        return [[int(hit.docid) for hit in searcher.search(" ".join(query), HITS)] for query in words_of(queries)]

    def batch(threads: int) -> Search:
        def search(queries: Sequence[str]) -> List[List[int]]:
            names = [str(number) for number in range(len(queries))]
            found = searcher.batch_search([" ".join(query) for query in words_of(queries)], names, HITS, threads)
            return [[int(hit.docid) for hit in found[name]] for name in names]

        return search

    return {
        "pyserini search": single,
        "pyserini batch_search, 1 thread": batch(1),
        "pyserini batch_search, 2 threads": batch(2),
    }


def rank_bm25_searches(stems: List[List[str]]) -> Dict[str, Search]:
    from rank_bm25 import BM25Okapi

    print("pyserini is not installed: rank_bm25 instead, whose weight of a word is another, over the same stems")
    index = BM25Okapi(stems, k1=K1, b=B)

    def search(queries: Sequence[str]) -> List[List[int]]:
        return [np.argsort(-index.get_scores(query), kind="stable")[:HITS].tolist() for query in words_of(queries)]

    return {"rank_bm25": search}


def main() -> None:
    if not pool_path():
        raise SystemExit("benchmarks.bm25: ATTRIBUTION_SHARED_DATA names no folder with p3/pool.jsonl.gz")
    queries = read_queries()
    stems = words_of([row.text for row in Pool(pool_path()).texts("reading the pool")])
    with tempfile.TemporaryDirectory() as folder:
        search = our_search(f"{folder}/bm25")
        if find_spec("pyserini"):
            others = pyserini_searches(stems, f"{folder}/lucene")
        else:
            others, queries = rank_bm25_searches(stems), queries[:: len(queries) // 20]
        found = search(queries)
        for name, other in others.items():
            there = other(queries)
            pairs = [(per_second(search, queries), per_second(other, queries)) for _ in range(ROUNDS)]
            ratios = [fast / slow for fast, slow in pairs]
            print(
                f"bm25 against {name}: {median(ratios):.1f}x (min {min(ratios):.1f}, max {max(ratios):.1f}),"
                f" {median(p[0] for p in pairs):.0f} and {median(p[1] for p in pairs):.1f} queries/s"
            )
            shared = [len({*a[:TOP]} & {*b[:TOP]}) / TOP for a, b in zip(found, there)]
            print(f"  top {TOP} in common: {np.mean(shared):.4f} on average, {min(shared):.2f} at least")


if __name__ == "__main__":
    main()
