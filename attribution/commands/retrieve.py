"""
`allennlp retrieve`: a target's unlabelled inputs and a pool of prompted rows to a training file.
"""

import argparse
import json
import logging
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import FromParams, Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import prepare_environment
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.common.artefacts import new_artefact, write_json
from attribution.common.rows import open_rows
from attribution.data.dataset_readers import PromptedReader
from attribution.retrievers import FrequencyAggregator, Pool, QueryAggregator, RankedRows, Retriever

logger = logging.getLogger(__name__)

TRAINING_ROWS = "train.jsonl"


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
        """Writes `train.jsonl`, `retrieved.npz` and `composition.json` into `directory`; returns the composition."""
        retrieved = self.retriever.retrieve(self.pool, self.queries.texts, self.neighbours)
        ranked = self.aggregator.aggregate(retrieved)
        np.savez(directory / "retrieved.npz", ids=retrieved.ids, scores=retrieved.scores)
        composition = write_training_rows(self.pool, ranked, directory / TRAINING_ROWS)
        write_json(directory / "composition.json", composition)
        return composition


def write_training_rows(pool: Pool, ranked: RankedRows, path: Path) -> Dict[str, Any]:
    """
    Writes the ranked rows in pool order, each once, as DEFT does: the pool's own object with `index_id` (its row in the
    pool) and `attribution_frequency` (how many queries found it).

    # Returns

    How many rows there are, by `task`, most first.
    """
    tasks: "Counter[str]" = Counter()
    order = np.argsort(ranked.ids)
    with path.open("w", encoding="utf-8") as file:
        for row, frequency in zip(pool.rows.take(ranked.ids[order].tolist()), ranked.frequencies[order].tolist()):
            tasks[str(row.content.get("task"))] += 1
            content = {**row.content, "index_id": row.number, "attribution_frequency": frequency}
            file.write(json.dumps(content, ensure_ascii=False) + "\n")
    return {"rows": len(order), "tasks": dict(tasks.most_common())}


@Subcommand.register("retrieve")
class Retrieve(Subcommand):
    """
    Retrieves training rows for a target: `allennlp retrieve CONFIG -s DIR`. DIR then holds `train.jsonl`, which
    `TRAIN_DATA_PATH` can point at, what each query found (`retrieved.npz`), the rows by task (`composition.json`) and
    `manifest.json`.

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
    for task, rows in composition["tasks"].items():
        print(f"  {rows:6d}  {task}")
