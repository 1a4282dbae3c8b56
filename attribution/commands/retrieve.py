"""
`allennlp retrieve`: a target's unlabelled inputs and a pool of prompted rows to a training file.
"""

import argparse
import json
import logging
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import FromParams, Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import prepare_environment
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.artefacts import new_artefact, write_json
from attribution.common.rows import open_rows
from attribution.data.dataset_readers import PromptedReader
from attribution.retrievers import FrequencyAggregator, Pool, QueryAggregator, RankedRows, Retrieved, Retriever

logger = logging.getLogger(__name__)

TRAINING_ROWS = "retrieved.jsonl"
SEARCH_LOG = "search_log.jsonl"


class Queries(FromParams):
    """
    A target's unlabelled inputs.

    # Parameters

    path : `str`
        The file of the target's rows; labels in it are not looked at.
    reader : `DatasetReader`
        A reader of prompted rows (`prompted_reader`, `p3_jsonl`, ...): it makes the prompts.
    size : `int`, optional
        Use the first so many rows.
    """

    def __init__(self, path: str, reader: DatasetReader, size: Optional[int] = None) -> None:
        if not isinstance(reader, PromptedReader):
            raise ConfigurationError(
                f"queries.reader: a {type(reader).__name__} does not make prompts; use prompted_reader or p3_jsonl"
            )
        self.path = path
        texts = [example.input for example in islice(reader.examples(path, labelled=False), size)]
        if not texts:
            raise ConfigurationError(f"queries.path {path}: no query in it")
        self.texts: List[str] = texts


class Retrieval(FromParams):
    """
    The configuration of `allennlp retrieve`.

    # Parameters

    pool : `Pool`
        What to retrieve from.
    queries : `Queries`
        The target's unlabelled inputs.
    retriever : `Retriever`
        How rows are found.
    neighbours : `int`, optional (default = `500`)
        Rows that each query finds.
    aggregator : `QueryAggregator`, optional (default = `frequency`, keeping all)
        How the queries' rows become one list.
    seed : `int`, optional (default = `0`)
        For whatever draws random numbers.
    """

    def __init__(
        self,
        pool: Pool,
        queries: Queries,
        retriever: Retriever,
        neighbours: int = 500,
        aggregator: Optional[QueryAggregator] = None,
        seed: int = 0,
    ) -> None:
        if neighbours < 1:
            raise ConfigurationError(f"neighbours is {neighbours}; at least one is needed")
        self.pool = pool
        self.queries = queries
        self.retriever = retriever
        self.neighbours = neighbours
        self.aggregator = aggregator or FrequencyAggregator()

    def run(self, directory: Path) -> Dict[str, Any]:
        """Writes `retrieved.jsonl`, `search_log.jsonl` and `composition.json` into `directory`; returns the last."""
        retrieved = self.retriever.retrieve(self.pool, self.queries.texts, self.neighbours)
        ranked = self.aggregator.aggregate(retrieved)
        write_search_log(self.queries.texts, retrieved, directory / SEARCH_LOG)
        composition = write_training_rows(self.pool, ranked, directory / TRAINING_ROWS)
        write_json(directory / "composition.json", composition)
        return composition


def write_search_log(queries: Sequence[str], retrieved: Retrieved, path: Path) -> None:
    """One line a query: its `input`, the `ids` of the rows that it found, best first, and their `scores`."""
    with path.open("w", encoding="utf-8") as file:
        for query, ids, scores in zip(queries, *retrieved):
            found = ids >= 0
            line = {"input": query, "ids": ids[found].tolist(), "scores": scores[found].tolist()}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_training_rows(pool: Pool, ranked: RankedRows, path: Path) -> Dict[str, Any]:
    """
    Writes the ranked rows in pool order, each once, as DEFT does: the pool's own object with `index_id` (its row in the
    pool), `attribution_frequency` (how many queries found it) and `best_score` (over those queries).

    # Returns

    `{"rows": int, "tasks": {task: {"rows", "share", "pool_rows", "pool_share"}}}`, most rows first: what the rows are
    made of, and what the pool is.
    """
    tasks: "Counter[str]" = Counter()
    order = np.argsort(ranked.ids)
    with path.open("w", encoding="utf-8") as file:
        rows = pool.rows.take(ranked.ids[order].tolist())
        for row, frequency, score in zip(rows, ranked.frequencies[order].tolist(), ranked.scores[order].tolist()):
            tasks[str(row.content.get("task"))] += 1
            found = {"index_id": row.number, "attribution_frequency": frequency, "best_score": score}
            file.write(json.dumps({**row.content, **found}, ensure_ascii=False) + "\n")
    shares = {
        task: {
            "rows": count,
            "share": count / len(order),
            "pool_rows": pool.tasks[task],
            "pool_share": pool.tasks[task] / pool.tasks.total(),
        }
        for task, count in tasks.most_common()
    }
    return {"rows": len(order), "tasks": shares}


@Subcommand.register("retrieve")
class Retrieve(Subcommand):
    """
    Retrieves training rows for a target: `allennlp retrieve CONFIG -s DIR`. DIR then holds `retrieved.jsonl`, which
    `TRAIN_DATA_PATH` can point at, what each query found (`search_log.jsonl`), the rows by task beside the pool's
    (`composition.json`) and `manifest.json`.

    Registered as a `Subcommand` with name "retrieve".
    """

    requires_plugins = True

    def add_subparser(self, parser: Any) -> argparse.ArgumentParser:
        description = "Retrieve the pool rows that suit a target's unlabelled inputs, and write a training file."
        subparser = parser.add_parser(self.name, description=description, help="Retrieve training rows for a target.")
        subparser.add_argument("param_path", type=str, help="the retrieval's configuration (jsonnet)")
        subparser.add_argument("-s", "--serialization-dir", required=True, type=str, help="the directory to write")
        subparser.add_argument(
            "-o", "--overrides", type=str, default="", help="a JSON object whose (dotted) keys override settings"
        )
        subparser.set_defaults(func=_run)
        return subparser


def _run(args: argparse.Namespace) -> None:
    params = Params.from_file(args.param_path, args.overrides)
    configuration = params.duplicate().as_dict(quiet=True)
    seed = int(configuration.get("seed", 0))
    prepare_environment(Params({"random_seed": seed, "numpy_seed": seed, "pytorch_seed": seed}))
    retrieval = Retrieval.from_params(params)
    inputs = [retrieval.pool.rows.path, open_rows(retrieval.queries.path).path]
    with new_artefact(args.serialization_dir, "retrieve", inputs, configuration) as directory:
        composition = retrieval.run(directory)
    print(f"{args.serialization_dir}/{TRAINING_ROWS}: {composition['rows']} rows")
    for task, part in composition["tasks"].items():
        print(f"  {part['rows']:6d}  {task} ({part['share']:.1%}; of the pool {part['pool_share']:.1%})")
