"""
`allennlp retrieve`: a target's unlabelled inputs and a pool of prompted rows to a training file.
"""

import argparse
import base64
import json
import logging
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides
from allennlp.common.tqdm import Tqdm

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.json_lines import json_line
from attribution.common.manifest import Identity, write_json
from attribution.common.names import check_names
from attribution.common.rows import label_of
from attribution.data.wrong_answers import NOT_CORRECT
from attribution.rerankers import Reranker
from attribution.rerankers.reranker import told
from attribution.retrievers import (
    Coreset,
    FrequencyAggregator,
    Pool,
    Queries,
    QueryAggregator,
    RankedRows,
    Retrieved,
    Retriever,
)
from attribution.retrievers.overlap import without
from attribution.retrievers.search_log import SEARCH_LOG
from attribution.similarity import SimilarityMatrix

logger = logging.getLogger(__name__)

TRAINING_ROWS = "retrieved.jsonl"
COMPOSITION = "composition.json"
SEARCH = "search.json"
RERANKING = "reranking"

OWN_FILES = (COMPOSITION, SEARCH, RERANKING, "composition.npz", "composition.tsv")
_DROPPED = {
    "equal": "equal to evaluation rows",
    "nearly_equal": "nearly_equal to evaluation rows",
    "own_task": "of the target's own task",
    "not_correct": NOT_CORRECT,
}
_FLAGS = ("pool", "queries", "retriever", "encoder", "neighbours", "size")


class Target(NamedTuple):
    """What one target's queries found."""

    name: str
    folder: Path
    ranked: RankedRows
    dropped: Dict[str, int]
    """How many rows were left out: of its evaluation, those that were found; of others, those of the pool."""
    queries: Dict[str, int]
    """How many it has, and how many of them found fewer rows than they were to find, or none."""
    reranked: Dict[str, Any]
    """What is to be said of the reranking; empty if there was none."""


class Retrieval(ArtefactJob):
    """
    The configuration of `allennlp retrieve`.

    # Parameters

    pool : `Pool`
        What to retrieve from.
    retriever : `Retriever`
        How rows are found.
    queries : `Queries`, optional
        The target's inputs.
    targets : `Dict[str, Queries]`, optional
        Those of several targets, which one search over the pool serves: instead of `queries`.
    neighbours : `int`, optional (default = `500`)
        Rows that each query finds.
    aggregator : `QueryAggregator`, optional (default = `frequency`, keeping all)
        How the queries' rows become one list.
    reranker : `Reranker`, optional
        Puts the beginning of that list in a better order and keeps the best of it, as `allennlp rerank` does later.
    coreset : `Coreset`, optional
        Which few of the aggregated rows to keep.
    own_task : `str`, optional (default = `"keep"`)
        What to do where the pool has rows of the task that the queries themselves are of (as far as their reader says:
        `recross_triples` does, and `p3_jsonl` with `keep: ['task']`): `keep` them, `drop` and count them, or `refuse`
        the pool.
    seed : `int`, optional (default = `0`)
        For whatever draws random numbers and has no seed of its own.
    """

    goes_on = True

    def __init__(
        self,
        pool: Pool,
        retriever: Retriever,
        queries: Optional[Queries] = None,
        targets: Optional[Dict[str, Queries]] = None,
        neighbours: int = 500,
        aggregator: Optional[QueryAggregator] = None,
        reranker: Optional[Reranker] = None,
        coreset: Optional[Coreset] = None,
        own_task: str = "keep",
        seed: int = 0,
    ) -> None:
        if own_task not in ("keep", "drop", "refuse"):
            raise ConfigurationError(f"own_task is {own_task!r}; keep, drop and refuse are possible")
        if neighbours < 1:
            raise ConfigurationError(f"neighbours is {neighbours}; at least one is needed")
        if (queries is None) == (not targets):
            raise ConfigurationError(
                "either queries (of one target) or targets (queries of several, by name) is needed"
            )
        check_names(targets or {}, "targets", OWN_FILES)
        self.pool = pool
        self.retriever = retriever
        self.targets = {Path(queries.path).name.split(".")[0]: queries} if queries is not None else targets or {}
        self.several = queries is None
        self.neighbours = neighbours
        self.aggregator = aggregator or FrequencyAggregator()
        self.reranker = reranker
        self.coreset = coreset
        self.own_task = own_task

    def inputs(self) -> List[Path]:
        files = [*self.pool.files]
        for queries in self.targets.values():
            files += queries.files
            if queries.overlap is not None:
                files += queries.overlap.files
        return files

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        reranker = {} if self.reranker is None else {"reranker": self.reranker.identity()}
        coreset = {} if self.coreset is None else {"coreset": self.coreset.encoder.identity}
        readers = {name: queries.reader.choices() for name, queries in self.targets.items()}
        of_readers = {"readers": readers} if any(readers.values()) else {}
        retriever = {"retriever": self.retriever.identity()}
        return {**super().identity(configuration), **retriever, **reranker, **coreset, **of_readers}

    def run(self, directory: Path, engine: Engine) -> str:
        """
        Writes `retrieved.jsonl`, `search_log.jsonl` and `composition.json`, of several targets each into a folder of
        its name, the composition of all as a `SimilarityMatrix`, `composition.npz`, and what is to be said of the
        search, if anything, `search.json`.
        """
        own_rows = self._leave_out_own_tasks()
        texts = [text for queries in self.targets.values() for text in queries.texts]
        neighbours = min(self.neighbours, len(self.pool.rows))
        retrieved = self.retriever.retrieve(self.pool, texts, neighbours, engine, directory)
        first = 0
        chosen = []
        for name, queries in self.targets.items():
            end = first + len(queries.texts)
            found = Retrieved(retrieved.ids[first:end], retrieved.scores[first:end])
            first = end
            folder = directory / name if self.several else directory
            folder.mkdir(exist_ok=True)
            write_search_log(queries.texts, found, folder / SEARCH_LOG)
            ranked, dropped, reranked = self._choose(queries, found, engine, directory)
            dropped.update(own_rows.get(name, {}))
            dropped.update({"not_correct": self.pool.wrong_answers} if self.pool.wrong_answers else {})
            about = {**queries.about(), **self._short(found)}
            chosen.append(Target(name, folder, ranked, dropped, about, reranked))
        shutil.rmtree(directory / RERANKING, ignore_errors=True)
        compositions = write_training_rows(self.pool, chosen)
        for target, composition in zip(chosen, compositions):
            write_json(target.folder / COMPOSITION, composition)
        names = [target.name for target in chosen]
        composition_matrix(names, compositions, sorted(self.pool.tasks)).save(directory / "composition.npz")
        about = self.retriever.about()
        if about:
            write_json(directory / SEARCH, about)
        return "\n".join([*map(describe, names, compositions), *([f"search: {json.dumps(about)}"] if about else [])])

    def _leave_out_own_tasks(self) -> Dict[str, Dict[str, int]]:
        """Of each target how many rows of its own task were dropped; those of one are left out for all."""
        if self.own_task == "keep":
            return {}
        for name, queries in self.targets.items():
            if not queries.tasks:
                logger.warning("own_task: the queries of %s do not say of which task they are", name)
        self.pool.ids("reading the pool's tasks")
        found = {name: sorted(queries.tasks & self.pool.tasks.keys()) for name, queries in self.targets.items()}
        rows = {name: sum(self.pool.tasks[task] for task in tasks) for name, tasks in found.items()}
        there = sorted({task for tasks in found.values() for task in tasks})
        if there and self.own_task == "refuse":
            raise ConfigurationError(
                f"{self.pool.path}: has {sum(self.pool.tasks[task] for task in there)} rows of the target's own task "
                f"{', '.join(there)}. own_task: 'drop' leaves them out"
            )
        self.pool = self.pool.without_tasks(there)
        return {name: {"own_task": count} for name, count in rows.items()}

    def _short(self, found: Retrieved) -> Dict[str, int]:
        """How many queries found fewer rows than were asked for, though the pool has them, and how many none."""
        rows = (found.ids >= 0).sum(axis=1)
        counts = {
            "found_fewer": int((rows < min(self.neighbours, self.pool.tasks.total())).sum()),
            "found_none": int((rows == 0).sum()),
        }
        return {kind: count for kind, count in counts.items() if count}

    def _choose(
        self, queries: Queries, found: Retrieved, engine: Engine, directory: Path
    ) -> Tuple[RankedRows, Dict[str, int], Dict[str, Any]]:
        found = Retrieved(np.where(np.array(queries.count)[:, None], found.ids, -1), found.scores)
        dropped: Dict[str, int] = {}
        if queries.overlap is not None:
            overlap = queries.overlap.find(self.pool, found)
            dropped = {"equal": len(overlap.exact), "nearly_equal": len(overlap.near)}
            found = without(found, overlap.exact | overlap.near)
        ranked = self.aggregator.aggregate(found)
        if not len(ranked.ids) and not self.several:
            raise ConfigurationError(f"{queries.path}: its queries found no row; dropped for overlap: {dropped or 0}")
        reranked: Dict[str, Any] = {}
        if self.reranker is not None and len(ranked.ids):
            texts = [text for text, counts in zip(queries.texts, queries.count) if counts]
            scratch = scratch_folder(directory)
            ranked, reranked = self.reranker.rerank_rows(self.pool, texts, ranked, engine, scratch)
        if self.coreset is not None and len(ranked.ids):
            ranked = self.coreset.choose(self.pool, ranked)
        return ranked, dropped, reranked


def scratch_folder(directory: Path) -> Path:
    """Of the reranker; what is in it is of no use when the product is whole."""
    (directory / RERANKING).mkdir(exist_ok=True)
    return directory / RERANKING


def write_search_log(queries: Sequence[str], retrieved: Retrieved, path: Path) -> None:
    """One line a query: its `input`, the `ids` of the rows that it found, best first, and their `scores`."""
    with path.open("w", encoding="utf-8") as file:
        for query, ids, scores in zip(queries, *retrieved):
            found = ids >= 0
            line = {"input": query, "ids": ids[found].tolist(), "scores": scores[found].tolist()}
            file.write(json_line(line, f"the query {query[:60]!r}") + "\n")


def write_training_rows(pool: Pool, targets: Sequence[Target]) -> List[Dict[str, Any]]:
    """
    Writes each target's rows in pool order, each as often as it is ranked (once, as DEFT does): the pool's own object
    with `index_id` (its row in the pool), `attribution_frequency` (how many queries found it) and `best_score` (over
    those queries). One pass over the pool for all targets. Where there was a reranker the best rows come first, with
    `reranker_score`.

    # Returns

    For each target `{"rows": int, "queries": {...}, "dropped": {...}, "tasks": {task: {"rows", "share", "pool_rows",
    "pool_share"}}}`, most rows first: what its rows are made of, and what the pool is; and `reranked`, if there was a
    reranker.
    """
    wanted = np.unique(np.concatenate([target.ranked.ids for target in targets]))
    found = [_by_id(target.ranked) for target in targets]
    times = [Counter(target.ranked.ids.tolist()) for target in targets]
    tasks: "List[Counter[str]]" = [Counter() for _ in targets]
    with ExitStack() as stack:
        files = [stack.enter_context((target.folder / TRAINING_ROWS).open("w", encoding="utf-8")) for target in targets]
        for row in Tqdm.tqdm(pool.rows.take(wanted.tolist()), desc="writing rows", total=len(wanted), unit="row"):
            for file, rows, often, counts in zip(files, found, times, tasks):
                if row.number in rows:
                    added = {"index_id": row.number, **rows[row.number]}
                    line = json_line({**row.content, **added}, row.where, default=_as_text) + "\n"
                    file.write(line * often[row.number])
                    counts[label_of(row, "task")] += often[row.number]
    for target in targets:
        if target.ranked.reranker_scores is not None:
            _sort_lines(target.folder / TRAINING_ROWS, target.ranked.ids)
    pool_rows = pool.tasks
    in_pool = {task: {"pool_rows": rows, "pool_share": rows / pool_rows.total()} for task, rows in pool_rows.items()}
    return [
        {
            "rows": counts.total(),
            "queries": target.queries,
            "dropped": target.dropped,
            **({"reranked": target.reranked} if target.reranked else {}),
            "tasks": shares(counts, in_pool),
        }
        for target, counts in zip(targets, tasks)
    ]


def _as_text(value: Any) -> str:
    """Of what JSON does not have, a Parquet file's dates and images, say."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _by_id(ranked: RankedRows) -> Dict[int, Dict[str, Any]]:
    columns = {"attribution_frequency": ranked.frequencies, "best_score": ranked.scores}
    if ranked.reranker_scores is not None:
        columns["reranker_score"] = ranked.reranker_scores
    rows = zip(*(values.tolist() for values in columns.values()))
    return {number: dict(zip(columns, row)) for number, row in zip(ranked.ids.tolist(), rows)}


def _sort_lines(path: Path, ids: np.ndarray) -> None:
    """From pool order to that of the ids."""
    lines = path.read_bytes().split(b"\n")[:-1]
    places = np.argsort(np.argsort(ids))  # Of each id, which line it is.
    path.write_bytes(b"".join(lines[place] + b"\n" for place in places))


def shares(rows: "Counter[str]", in_pool: Mapping[str, Dict[str, Any]]) -> Dict[str, Any]:
    """The rows by task, most first, each beside what of the task the pool has: `{"pool_rows", "pool_share"}`."""
    return {task: {"rows": count, "share": count / rows.total(), **in_pool[task]} for task, count in rows.most_common()}


def composition_matrix(
    targets: List[str], compositions: Sequence[Dict[str, Any]], tasks: List[str]
) -> SimilarityMatrix:
    """The share of each task among a target's rows."""
    of_tasks = [
        [composition["tasks"].get(task, {"share": 0.0})["share"] for task in tasks] for composition in compositions
    ]
    return SimilarityMatrix(targets, tasks, np.array(of_tasks), True, "task")


def describe(target: str, composition: Dict[str, Any]) -> str:
    """What a retrieval's summary says of a target."""
    lines = [f"{target}: {composition['rows']} rows"]
    queries = composition["queries"]
    if queries["used"] < queries.get("asked", 0):
        lines.append(f"  {queries['used']} queries, where {queries['asked']} were asked for")
    if queries.get("in_evaluation"):
        lines.append(f"  {queries['in_evaluation']} of its {queries['used']} queries are evaluation inputs")
    if queries.get("found_fewer"):
        none = f", {queries['found_none']} of them none" if queries.get("found_none") else ""
        lines.append(
            f"  {queries['found_fewer']} of its {queries['used']} queries found fewer rows than asked for{none}"
        )
    lines += [f"  {rows} {_DROPPED[kind]} left out" for kind, rows in composition["dropped"].items()]
    lines += told(composition["reranked"]) if "reranked" in composition else []
    lines += [
        f"  {part['rows']:6d}  {task} ({part['share']:.1%}; of the pool {part['pool_share']:.1%})"
        for task, part in composition["tasks"].items()
    ]
    return "\n".join(lines)


@Subcommand.register("retrieve")
class Retrieve(ArtefactCommand):
    """
    Retrieves training rows for a target: `allennlp retrieve CONFIG -s DIR`, or, with the usual choices,
    `allennlp retrieve --pool POOL --queries QUERIES --encoder MODEL -s DIR`. DIR then holds `retrieved.jsonl`, which
    `TRAIN_DATA_PATH` can point at, what each query found (`search_log.jsonl`), the rows by task beside the pool's
    (`composition.json`, and as a `SimilarityMatrix`) and `manifest.json`.

    Registered as a `Subcommand` with name "retrieve".
    """

    job = Retrieval
    summary = "Retrieve the pool rows that suit a target's unlabelled inputs, and write a training file."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument("param_path", type=str, nargs="?", help="the configuration (jsonnet); or else:")
        subparser.add_argument(
            "--pool", type=str, help="prompted rows, a file of any format that is read or a folder of them"
        )
        subparser.add_argument("--queries", type=str, help="the target's prompted inputs, in such a file")
        subparser.add_argument("--retriever", type=str, help="exact (the default), bm25, random, ...")
        subparser.add_argument("--encoder", type=str, help="a model, where the retriever needs one")
        subparser.add_argument("--neighbours", type=int, help="rows that a query finds (500)")
        subparser.add_argument("--size", type=int, help="rows in all; by default all that were found")

    def params(self, args: argparse.Namespace) -> Params:
        flags = [name for name in _FLAGS if getattr(args, name) is not None]
        if args.param_path is not None:
            if flags:
                raise ConfigurationError(f"retrieve: --{flags[0]} beside a configuration; change that with -o")
            return super().params(args)
        if args.pool is None or args.queries is None:
            raise ConfigurationError("retrieve: name a configuration, or --pool and --queries")
        retriever: Dict[str, Any] = {"type": args.retriever or "exact"}
        if args.encoder is not None:
            if retriever["type"] not in ("exact", "faiss"):
                raise ConfigurationError(f"retrieve: --encoder is for exact and faiss, not {retriever['type']}")
            # As DEFT's configurations have it: the distance of mean states, which have lengths of their own.
            retriever.update(encoder={"type": "transformer", "model_name": args.encoder}, metric="l2")
        aggregator = {"type": "frequency", **({} if args.size is None else {"size": args.size})}
        settings = {
            "pool": {"path": args.pool},
            "queries": {"path": args.queries, "reader": {"type": "p3_jsonl"}},
            "retriever": retriever,
            "neighbours": 500 if args.neighbours is None else args.neighbours,
            "aggregator": aggregator,
        }
        settings = with_overrides(settings, parse_overrides(args.overrides))
        if retriever["type"] in ("exact", "faiss") and "encoder" not in settings["retriever"]:
            raise ConfigurationError(
                f"retrieve: the retriever {retriever['type']} needs --encoder MODEL (--retriever bm25 needs none)"
            )
        return Params(settings)
