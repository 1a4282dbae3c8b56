"""What queries found in an earlier search."""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.engines import Engine
from attribution.common.manifest import Identity, fingerprint
from attribution.common.rows import Row, RowError
from attribution.data.formats import open_rows
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever

SEARCH_LOG = "search_log.jsonl"
_JSON = (".jsonl", ".json", ".gz")


class Found(NamedTuple):
    """One query's rows, best first."""

    query: Any
    """Its text, or its place among all queries."""
    ids: List[int]
    scores: List[float]
    where: str


@Retriever.register("search_log")
class SearchLogRetriever(Retriever):
    """
    What queries found in an earlier search of the same pool, read again: another number of neighbours, aggregator, size
    or coreset needs no index and no encoder. It reads

    - `search_log.jsonl` of `allennlp retrieve`, `{"input", "ids", "scores"}`: a query's line is the one with its text;
    - DEFT's logs, `.jsonl` lines `{"ids", "distances"}`, one for each query in their order; scores are the negative
      distances;
    - what pyserini's tools write, in any other file: TREC's run format, `QUERY Q0 ROW RANK SCORE TAG`, where the digits
      of QUERY are its place, from 0, among the queries.

    Registered as a `Retriever` with name "search_log".

    # Parameters

    path : `str`
        The file, or the directory of a retrieval, of several targets, too.
    """

    def __init__(self, path: str) -> None:
        folder = Path(path)
        self.path = path
        self._files = sorted(folder.rglob(SEARCH_LOG)) if folder.is_dir() else [folder]
        if not self._files or not all(file.is_file() for file in self._files):
            raise ConfigurationError(f"search_log: {path}: no such file, or no {SEARCH_LOG} in it")
        self._is_a_run = any(file.suffix not in _JSON for file in self._files)

    def identity(self) -> Identity:
        return {"search_log": [fingerprint(file)["sha256"] for file in self._files]}

    def retrieve(
        self,
        pool: Pool,
        queries: Sequence[str],
        k: int,
        engine: Optional[Engine] = None,
        scratch: Optional[Path] = None,
    ) -> Retrieved:
        """
        # Raises

        `ConfigurationError` if a query is not in the log, each of several has the same number of rows and that is less
        than `k`, or a row is not in the pool. Queries that found different numbers of rows may have fewer than `k`.
        """
        found: Dict[Any, Found] = {one.query: one for file in self._files for one in _lines(file)}
        in_order = all(isinstance(query, int) for query in found)
        if in_order and found and max(found) >= len(queries):
            raise ConfigurationError(f"search_log: {self.path}: has {max(found) + 1} queries; there are {len(queries)}")
        counts = {len(one.ids) for one in found.values()}
        if len(found) > 1 and len(counts) == 1 and max(counts) < k:
            raise ConfigurationError(f"search_log: {self.path}: has {max(counts)} rows of each; neighbours is {k}")
        allowed = np.zeros(len(pool.rows), dtype=bool)
        allowed[pool.ids("reading the pool")] = True
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for number, query in enumerate(queries):
            one = found.get(number if in_order else query)
            if one is None:
                if self._is_a_run and in_order:
                    continue  # Of a query that found nothing a run has no line.
                raise ConfigurationError(f"search_log: {self.path}: does not have the query {query[:60]!r}")
            if not np.isfinite(one.scores).all() or (np.diff(one.scores) > 0).any():
                raise RowError(one.where, "its scores are not numbers, the best first")
            outside = [row for row in one.ids if not 0 <= row < len(allowed)]
            if outside:
                raise RowError(one.where, f"row {outside[0]}", f" is not in {pool.path}, which has {len(allowed)} rows")
            if len(set(one.ids)) < len(one.ids):
                raise RowError(one.where, "a row stands twice among those of a query")
            rows = np.array(one.ids, dtype=np.int64)
            kept = np.flatnonzero(allowed[rows])[:k]
            ids[number, : len(kept)], scores[number, : len(kept)] = rows[kept], np.array(one.scores)[kept]
        return Retrieved(ids, scores)


def _lines(file: Path) -> Iterator[Found]:
    if file.suffix in _JSON:
        for row in open_rows(str(file)):
            yield _of_json(row)
        return
    runs: Dict[int, Found] = {}
    for number, line in enumerate(_text(file).splitlines(), 1):
        where, columns = f"{file}:{number}", line.split()
        digits = re.search(r"\d{1,18}", columns[0]) if len(columns) == 6 else None
        if digits is None:
            raise RowError(where, "no line of a run", ", which is QUERY Q0 ROW RANK SCORE TAG")
        found = runs.setdefault(int(digits.group()), Found(int(digits.group()), [], [], where))
        try:
            found.ids.append(int(columns[2]))
            found.scores.append(float(columns[4]))
        except ValueError as error:
            raise RowError(where, "no line of a run", f": {str(error):.80}") from error
    yield from runs.values()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: not UTF-8 text ({error})") from error


def _of_json(row: Row) -> Found:
    content = row.content
    ids, scores = content.get("ids"), content.get("scores")
    if scores is None and isinstance(content.get("distances"), list):
        scores = [-distance for distance in content["distances"] if isinstance(distance, (int, float))]
    if not isinstance(ids, list) or not isinstance(scores, list) or len(scores) != len(ids):
        raise RowError(row.where, "no line of a search log", ", which has `ids` and as many `scores` or `distances`")
    query = content.get("input", row.number)
    if not isinstance(query, (int, str)):
        raise RowError(row.where, "no line of a search log", ", whose `input` is a text")
    if not all(type(one) is int for one in ids) or not all(isinstance(score, (int, float)) for score in scores):
        raise RowError(row.where, "no line of a search log", ", whose `ids` are whole numbers and scores numbers")
    # An index of faiss says -1 where it found no more.
    pairs = [(one, score) for one, score in zip(ids, scores) if one != -1]
    try:
        return Found(query, [one for one, _ in pairs], [float(score) for _, score in pairs], row.where)
    except OverflowError as error:
        raise RowError(row.where, "no line of a search log", f" ({error})") from error
