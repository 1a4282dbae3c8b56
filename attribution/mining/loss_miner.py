"""Tuples from what rows do to a model: those help that lower its loss on a task's other rows."""

import json
from math import ceil
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.models import Model

from attribution.common.engines import Engine
from attribution.common.kept import kept_lines
from attribution.common.manifest import Identity, read_json, write_json
from attribution.mining.tuned_copy import TunedCopy
from attribution.mining.tuple_miner import MinedTuple, TupleMiner, check_counts, rows_by_task
from attribution.modules.delta import DeltaModule, Lora
from attribution.rerankers import Reranker
from attribution.retrievers import Pool, Retrieved, Retriever, RoundRobinAggregator

LOSSES = "losses.jsonl"
_CANDIDATES = "candidates.json"
# Queries and values of every attention but the encoder's: what is read stays the same, and is read once.
_DECODER = r"(?!(model\.)?encoder\.).*\.(q|v|q_proj|v_proj|query|value|c_attn|query_key_value|qkv_proj)"


class QuerySet(NamedTuple):
    """Rows of one task, and the rows that may help it."""

    number: int
    task: str
    queries: List[int]
    held_out: List[int]
    candidates: List[int]


class _Work(NamedTuple):
    """A query set, with its texts: what an engine's worker gets."""

    number: int
    held_out: List[List[str]]
    candidates: List[List[str]]


@TupleMiner.register("loss")
class LossMiner(TupleMiner):
    """
    For each tuple a task is drawn, and of its rows some queries and others that are held out. Rows of other tasks that
    the queries find in turns are its candidates. These are split at random into groups, a copy of the model is tuned on
    each group, and its loss on what is held out counts for the whole group; this is done for several rounds. The
    candidates with the lowest mean are positive, those with the highest negative (Lin et al., 2022, algorithm 1,
    https://arxiv.org/abs/2204.07937; as published, nearly all candidates were those of the first query).

    A copy is a delta, which is put back before the next group. With the default one, of the decoder's attention, the
    encoder reads each row once for all copies.

    Registered as a `TupleMiner` with name "loss".

    # Parameters

    model : `Lazy[Model]`
        The upstream model: a `seq2seq` or `causal_lm`, without `delta`.
    retriever : `Retriever`
        What finds candidates.
    size : `int`, optional (default = `300`)
        Query sets, each of which makes a tuple.
    queries : `int`, optional (default = `8`)
    held_out : `int`, optional (default = `100`)
        The most rows to measure the loss on; of a small task, as many as there are.
    neighbours : `int`, optional (default = `60`)
        Rows that each query finds.
    candidates : `int`, optional (default = `100`)
        Rows that are tried for each query set, at most.
    reranker : `Reranker`, optional
        The last one that was trained: it keeps `candidates` of `candidates` x its upsampling.
    query_tasks : `List[str]`, optional
        Only these have queries. By default all; those without a row to hold out are left out, and counted.
    groups : `Dict[str, List[str]]`, optional
        Draw a group of tasks first, then a task in it, as published; by default each task is as likely.
    group_size : `int`, optional (default = `20`)
        Rows that a copy is tuned on. Candidates that it does not divide make groups that differ by one row.
    rounds : `int`, optional (default = `3`)
        How often the candidates are split.
    positives, negatives : `int`, optional (default = `8`)
        Rows of a tuple. A query set with fewer candidates makes none, and is counted.
    delta : `DeltaModule`, optional
        What is tuned: by default LoRA in the decoder's attention. `none` tunes all weights, as published.
    learning_rate : `float`, optional
        By default 1e-3, or 3e-5, as published, where all weights are tuned.
    batch_size, epochs, warmup_steps, max_norm : optional (default = `2`, `1`, `3`, `0.1`)
        Of the tuning, as published.
    max_query_length, max_answer_length : `int`, optional (default = `512`, `64`)
        Rows are cut to this many tokens.
    extra_bos : `bool`, optional (default = `False`)
        For a BART that was trained so: texts begin with the beginning-of-sequence token once more.
    source_language, target_language : `str`, optional
        Of prompts and answers, for a tokenizer that writes languages (`PromptTokenizer`).
    seed : `int`, optional (default = `0`)
    """

    def __init__(
        self,
        model: Lazy[Model],
        retriever: Retriever,
        size: int = 300,
        queries: int = 8,
        held_out: int = 100,
        neighbours: int = 60,
        candidates: int = 100,
        reranker: Optional[Reranker] = None,
        query_tasks: Optional[List[str]] = None,
        groups: Optional[Dict[str, List[str]]] = None,
        group_size: int = 20,
        rounds: int = 3,
        positives: int = 8,
        negatives: int = 8,
        delta: Optional[DeltaModule] = None,
        learning_rate: Optional[float] = None,
        batch_size: int = 2,
        epochs: int = 1,
        warmup_steps: int = 3,
        max_norm: float = 0.1,
        max_query_length: int = 512,
        max_answer_length: int = 64,
        extra_bos: bool = False,
        source_language: Optional[str] = None,
        target_language: Optional[str] = None,
        seed: int = 0,
    ) -> None:
        check_counts(
            "loss",
            size=size,
            queries=queries,
            held_out=held_out,
            neighbours=neighbours,
            group_size=group_size,
            rounds=rounds,
            positives=positives,
            negatives=negatives,
            batch_size=batch_size,
            epochs=epochs,
            max_query_length=max_query_length,
            max_answer_length=max_answer_length,
        )
        if candidates < max(group_size + 1, positives + negatives):
            raise ConfigurationError(
                f"loss: candidates is {candidates}; more than group_size ({group_size}) are needed, and at least "
                f"positives + negatives ({positives + negatives})"
            )
        if reranker is not None and reranker.size != candidates:
            raise ConfigurationError(
                f"loss: reranker.size is {reranker.size}, candidates {candidates}; make both one number"
            )
        self.model = model
        self.retriever = retriever
        self.size = size
        self.queries = queries
        self.held_out = held_out
        self.neighbours = neighbours
        self.candidates = candidates
        self.reranker = reranker
        self.query_tasks = query_tasks
        self.groups = groups
        self.group_size = group_size
        self.rounds = rounds
        self.positives = positives
        self.negatives = negatives
        self.delta = delta or Lora(target_modules=_DECODER)
        published = type(self.delta) is DeltaModule.by_name("none")
        self.learning_rate = (3e-5 if published else 1e-3) if learning_rate is None else learning_rate
        if self.learning_rate <= 0 or max_norm <= 0:
            raise ConfigurationError(
                f"loss: learning_rate is {self.learning_rate}, max_norm {max_norm}; both must be above 0"
            )
        self.tuning = (self.learning_rate, batch_size, epochs, warmup_steps, max_norm)
        self.texts = (extra_bos, source_language, target_language)
        self.lengths = (max_query_length, max_answer_length)
        self.seed = seed
        self._about: Dict[str, Any] = {}
        self._copy: Optional[TunedCopy] = None

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_copy": None}

    def identity(self) -> Identity:
        reranker = {} if self.reranker is None else {"reranker": self.reranker.identity()}
        return {"retriever": self.retriever.identity(), **reranker}

    def about(self) -> Dict[str, Any]:
        """What was left out, and how many query sets have fewer candidates, or held-out rows, than asked for."""
        return self._about

    def mine(self, pool: Pool, directory: Path, engine: Engine) -> Iterator[MinedTuple]:
        if not (directory / _CANDIDATES).is_file():
            self._find_candidates(pool, directory, engine)
        self._about, sets = _query_sets(directory / _CANDIDATES)
        done = kept_lines(
            directory / LOSSES, lambda number, line: number < len(sets) and _has_losses(line, sets[number])
        )
        missing = sets[len(done) :]
        losses = engine.map(self.losses, (self._work(pool, query_set) for query_set in missing))
        with (directory / LOSSES).open("a", encoding="utf-8") as file:
            for query_set, found_losses in Tqdm.tqdm(
                zip(missing, losses), initial=len(done), total=len(sets), desc="mining", unit="query set"
            ):
                line = {**query_set._asdict(), **found_losses}
                file.write(json.dumps(line) + "\n")
                file.flush()
                done.append(line)
        (directory / _CANDIDATES).unlink()
        for line in done:
            order = np.argsort(line["losses"], kind="stable")
            ids = np.array(line["candidates"])
            positives, negatives = order[: self.positives], order[::-1][: self.negatives]
            yield MinedTuple(line["task"], line["queries"], ids[positives].tolist(), ids[negatives].tolist())

    def losses(self, work: _Work) -> Dict[str, Any]:
        """
        # Returns

        `losses`, each candidate's mean over the groups that it was in, and `untuned`, that of the model as it is.
        """
        if self._copy is None:
            with torch.random.fork_rng():
                torch.manual_seed(self.seed)  # A delta starts at random, and in every worker the same.
                self._copy = TunedCopy(self.model, self.delta, *self.tuning, *self.texts)
        copy = self._copy
        candidates = copy.examples(work.candidates, self.lengths)
        held_out = copy.batches(copy.examples(work.held_out, self.lengths))
        copy.restore()
        untuned = copy.loss(held_out)
        losses = np.zeros(len(candidates))
        generator = np.random.default_rng([self.seed, work.number, 1])
        for _ in range(self.rounds):
            order = generator.permutation(len(candidates))
            for group in np.array_split(order, ceil(len(order) / self.group_size)):
                copy.tune([candidates[place] for place in group], generator)
                losses[group] += copy.loss(held_out) / self.rounds
        return {"untuned": untuned, "losses": losses.tolist()}

    def _find_candidates(self, pool: Pool, directory: Path, engine: Engine) -> None:
        """Writes the query sets into `directory`."""
        every = rows_by_task(pool)
        rows = _with_answers(pool, every)
        sets, about = self._draw(pool, rows)
        about["rows_without_an_answer"] = sum(map(len, every.values())) - sum(map(len, rows.values()))
        usable = np.concatenate(list(rows.values()))
        chosen: List[QuerySet] = []
        for task in dict.fromkeys(query_set.task for query_set in sets):
            of_task = [query_set for query_set in sets if query_set.task == task]
            numbers = [number for query_set in of_task for number in query_set.queries]
            texts = _texts(pool, numbers)
            found = self.retriever.retrieve(pool.without_tasks([task]), texts, self.neighbours, engine)
            ids = np.where(np.isin(found.ids, usable), found.ids, -1)
            for place, query_set in enumerate(of_task):
                part = slice(place * self.queries, (place + 1) * self.queries)
                candidates = self._choose(pool, texts[part], Retrieved(ids[part], found.scores[part]), engine)
                chosen.append(query_set._replace(candidates=candidates))
        enough = [query_set for query_set in chosen if len(query_set.candidates) >= self.positives + self.negatives]
        about["query_sets_with_too_few_candidates"] = len(chosen) - len(enough)
        about["query_sets_with_fewer_candidates_than_asked"] = sum(
            len(query_set.candidates) < self.candidates for query_set in enough
        )
        if not enough:
            raise ConfigurationError(f"loss: no query set found {self.positives + self.negatives} candidates; {about}")
        write_json(directory / _CANDIDATES, {"about": about, "sets": sorted(enough)})

    def _draw(self, pool: Pool, rows: Dict[str, np.ndarray]) -> Tuple[List[QuerySet], Dict[str, Any]]:
        """Query sets without candidates yet, and what was left out."""
        wanted = self.query_tasks or [task for tasks in (self.groups or {"all": list(rows)}).values() for task in tasks]
        if self.query_tasks and not set(self.query_tasks) & set(rows):
            raise ConfigurationError(f"loss: query_tasks are none of the pool's, {sorted(rows)}")
        possible = {task for task in wanted if len(rows.get(task, ())) > self.queries}
        groups = [[task for task in tasks if task in possible] for tasks in (self.groups or {"all": wanted}).values()]
        groups = [tasks for tasks in groups if tasks]
        if not groups:
            raise ConfigurationError(f"{pool.path}: no task has {self.queries} rows for queries and one to hold out")
        sets: List[QuerySet] = []
        for number in range(self.size):
            generator = np.random.default_rng([self.seed, number, 0])
            group = groups[generator.integers(len(groups))]
            task = group[generator.integers(len(group))]
            drawn = generator.permutation(rows[task])[: self.queries + self.held_out].tolist()
            sets.append(QuerySet(number, task, drawn[: self.queries], drawn[self.queries :], []))
        about = {
            "tasks_with_too_few_rows_for_queries": sorted(set(wanted) - possible),
            "query_sets_with_fewer_held_out_rows_than_asked": sum(len(one.held_out) < self.held_out for one in sets),
        }
        return sets, about

    def _choose(self, pool: Pool, queries: Sequence[str], found: Retrieved, engine: Engine) -> List[int]:
        """What the queries found, in turns."""
        size = self.candidates if self.reranker is None else self.reranker.candidates
        ranked = RoundRobinAggregator(size).aggregate(found)
        if self.reranker is not None and len(ranked.ids):
            ranked, _ = self.reranker.rerank_rows(pool, queries, ranked, engine)
        return ranked.ids.tolist()

    def _work(self, pool: Pool, query_set: QuerySet) -> _Work:
        numbers = sorted({*query_set.held_out, *query_set.candidates})
        texts = {row.number: [row.content["input"], row.content["target"]] for row in pool.rows.take(numbers)}
        held_out, candidates = (
            [texts[number] for number in some] for some in (query_set.held_out, query_set.candidates)
        )
        return _Work(query_set.number, held_out, candidates)


def _with_answers(pool: Pool, rows: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Less the rows with nothing under `target`: there is no loss of theirs."""
    empty = [row.number for row in pool.rows if not row.content["target"].strip()]
    left = {task: numbers[~np.isin(numbers, empty)] for task, numbers in rows.items()}
    return {task: numbers for task, numbers in left.items() if len(numbers)}


def _query_sets(path: Path) -> Tuple[Dict[str, Any], List[QuerySet]]:
    """What was left out, and the sets that candidates were found for."""
    again = "the same command finds them again"
    found = read_json(path, again)
    try:
        return {**found["about"]}, [QuerySet(*query_set) for query_set in found["sets"]]
    except (TypeError, KeyError) as error:
        raise ConfigurationError(f"{path}: no candidates of query sets; {again}") from error


def _has_losses(line: Any, query_set: QuerySet) -> bool:
    """Whether a line is of this set."""
    if not isinstance(line, dict) or any(line.get(key) != value for key, value in query_set._asdict().items()):
        return False
    losses = line.get("losses")
    return isinstance(losses, list) and [type(loss) for loss in losses] == [float] * len(query_set.candidates)


def _texts(pool: Pool, numbers: Sequence[int]) -> List[str]:
    texts = {row.number: row.content["input"] for row in pool.rows.take(sorted(set(numbers)))}
    return [texts[number] for number in numbers]
