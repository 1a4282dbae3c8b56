"""
`allennlp embed`: the vectors of a pool's rows, stored once so that retrieval need not encode again.
"""

import argparse
from itertools import islice
from pathlib import Path
from typing import Any, Dict

from allennlp.commands.subcommand import Subcommand
from allennlp.common import FromParams, Params
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import MANIFEST, write_manifest
from attribution.encoders import Encoder, vectors
from attribution.retrievers import Pool


class Embedding(FromParams):
    """
    The configuration of `allennlp embed`.

    # Parameters

    pool : `Pool`
        All of its rows are encoded; `exclude_tasks` belongs to a retrieval.
    encoder : `Encoder`
        What turns the prompts into vectors.
    dtype : `str`, optional (default = `"float16"`)
        `float16` or `float32`: how vectors are stored.
    shard_rows : `int`, optional (default = `16384`)
        Rows a file: what is lost when the process is killed is at most one of them.
    """

    def __init__(self, pool: Pool, encoder: Encoder, dtype: str = "float16", shard_rows: int = 16384) -> None:
        if dtype not in ("float16", "float32"):
            raise ConfigurationError(f"dtype is {dtype!r}; float16 and float32 are possible")
        if shard_rows < 1:
            raise ConfigurationError(f"shard_rows is {shard_rows}; at least one is needed")
        if pool.exclude_tasks:
            raise ConfigurationError("pool.exclude_tasks: embed stores the whole pool; exclude tasks when retrieving")
        self.pool = pool
        self.encoder = encoder
        self.dtype = dtype
        self.shard_rows = shard_rows

    def plan(self) -> Dict[str, Any]:
        return {
            **vectors.source(self.pool.rows.path, self.encoder),
            "rows": len(self.pool.rows),
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
        }

    def run(self, directory: Path) -> int:
        """Writes what is missing in `directory`; returns how many rows were encoded."""
        plan = self.plan()
        missing = vectors.begin(directory, plan)
        texts = (row.text for row in self.pool.texts("encoding the pool"))
        place = 0
        for shard in missing:
            for _done in islice(texts, shard.first - place):
                pass
            blocks = self.encoder.encode_blocks(islice(texts, shard.end - shard.first))
            vectors.write_shard(directory, shard, blocks, self.dtype)
            place = shard.end
        return sum(shard.end - shard.first for shard in missing)


@Subcommand.register("embed")
class Embed(Subcommand):
    """
    Stores the vectors of a pool: `allennlp embed CONFIG -s DIR`. If it is stopped at any moment, the same command goes
    on after the last whole shard, and ends with the same bytes.

    Registered as a `Subcommand` with name "embed".
    """

    requires_plugins = True

    def add_subparser(self, parser: Any) -> argparse.ArgumentParser:
        description = "Encode a pool's rows and store their vectors. The same command goes on where it was stopped."
        subparser = parser.add_parser(self.name, description=description, help="Store the vectors of a pool.")
        subparser.add_argument("param_path", type=str, help="the embedding's configuration (jsonnet)")
        subparser.add_argument("-s", "--serialization-dir", required=True, type=str, help="the directory to write")
        subparser.add_argument(
            "-o", "--overrides", type=str, default="", help="a JSON object whose (dotted) keys override settings"
        )
        subparser.set_defaults(func=_run)
        return subparser


def _run(args: argparse.Namespace) -> None:
    params = Params.from_file(args.param_path, args.overrides)
    configuration = params.duplicate().as_dict(quiet=True)
    embedding = Embedding.from_params(params)
    directory = Path(args.serialization_dir)
    if (directory / MANIFEST).is_file():
        vectors.begin(directory, embedding.plan())
        print(f"{directory}: finished already")
        return
    encoded = embedding.run(directory)
    write_manifest(directory, "embed", [embedding.pool.rows.path], configuration)
    print(f"{directory}: {len(embedding.pool.rows)} vectors, {encoded} of them encoded now")
