"""
`allennlp pool-rows` and `allennlp queries`: what a retrieval is made of, for and from other programs.
"""

import argparse
from pathlib import Path
from typing import Any, List, Mapping, Type

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides
from allennlp.common.tqdm import Tqdm

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.retrieve import TRAINING_ROWS, Retrieval
from attribution.common.engines import Engine
from attribution.common.json_lines import json_line
from attribution.common.manifest import Identity
from attribution.common.rows import RowError, local_file
from attribution.data.formats import open_rows
from attribution.retrievers import Pool

IDS = "ids.txt"

# Anserini's reader of TREC topics takes of a title what is after its first colon, and needs all four fields.
_TOPIC = "<top>\n<num> Number: {number}\n<title> Topic: {text}\n<desc> Description:\n<narr> Narrative:\n</top>\n\n"
_FORMS = {"tsv": "{number}\t{text}\n", "trec": _TOPIC}
"""By ending how a query is written."""


class PoolRows(ArtefactJob):
    """
    What `allennlp pool-rows --pool POOL --ids IDS` does: the rows of these numbers, in the pool's order, each once,
    with `index_id`. As DEFT's `indices_to_file.py`.

    # Parameters

    pool : `Pool`
    ids : `str`
        A file with the number of a row in each line, such as DEFT's index lists.
    """

    def __init__(self, pool: Pool, ids: str) -> None:
        self.pool = pool
        self.ids = local_file(ids)

    def inputs(self) -> List[Path]:
        return [*self.pool.files, self.ids]

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `retrieved.jsonl`."""
        wanted = sorted(set(_numbers(self.ids, len(self.pool.rows))))
        with (directory / TRAINING_ROWS).open("w", encoding="utf-8") as file:
            for row in Tqdm.tqdm(self.pool.rows.take(wanted), desc="writing rows", total=len(wanted), unit="row"):
                file.write(json_line({**row.content, "index_id": row.number}, row.where) + "\n")
        return f"{TRAINING_ROWS}, {len(wanted)} rows of {len(self.pool.rows)}"


class RowIds(ArtefactJob):
    """
    What `allennlp pool-rows --rows ROWS` does: the `index_id` of each row, a line each. As DEFT's
    `grab_instance_idxes.py`.

    # Parameters

    rows : `str`
        A training file that a retrieval wrote.
    """

    def __init__(self, rows: str) -> None:
        self.rows = open_rows(rows)

    def inputs(self) -> List[Path]:
        return self.rows.files()

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `ids.txt`."""
        count = 0
        with (directory / IDS).open("w", encoding="utf-8") as file:
            for row in self.rows:
                number = row.content.get("index_id")
                if type(number) is not int or number < 0:
                    raise RowError(row.where, "no row number under `index_id`", "; it is no row of a retrieval")
                file.write(f"{number}\n")
                count += 1
        return f"{IDS}, {count} rows"


class QueryDump(Retrieval):
    """What a configuration of `allennlp retrieve` says, whose queries alone are written."""

    def identity(self, configuration: Any) -> Identity:
        """Whatever the retriever is."""
        texts = {name: queries.reader.choices() for name, queries in self.targets.items()}
        return {**ArtefactJob.identity(self, configuration), "readers": texts}

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `NAME.tsv` and `NAME.trec` of each target."""
        for name, queries in self.targets.items():
            lines = [" ".join(text.split()) for text in queries.texts]
            for ending, form in _FORMS.items():
                with (directory / f"{name}.{ending}").open("w", encoding="utf-8") as file:
                    file.writelines(form.format(number=number, text=text) for number, text in enumerate(lines))
        return ", ".join(f"{name}.tsv, {len(queries.texts)} queries" for name, queries in self.targets.items())


@Subcommand.register("pool-rows")
class PoolRowsCommand(ArtefactCommand):
    """
    From row numbers to a training file and back: `allennlp pool-rows --pool POOL --ids IDS -s DIR` writes
    `DIR/retrieved.jsonl`, `allennlp pool-rows --rows ROWS -s DIR` writes `DIR/ids.txt`.

    Registered as a `Subcommand` with name "pool-rows".
    """

    job = PoolRows
    summary = "Write the rows of a pool that a list of numbers names, or the numbers of a training file's rows."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument("--pool", type=str, help="prompted rows, a file or a folder of files")
        subparser.add_argument("--ids", type=str, help="the number of a row in each line")
        subparser.add_argument("--rows", type=str, help="or else: a training file that a retrieval wrote")

    def params(self, args: argparse.Namespace) -> Params:
        given = [name for name in ("pool", "ids", "rows") if getattr(args, name) is not None]
        if given not in (["pool", "ids"], ["rows"]):
            raise ConfigurationError("pool-rows: name --pool and --ids, or --rows alone")
        settings = {"rows": args.rows} if args.rows is not None else {"pool": {"path": args.pool}, "ids": args.ids}
        return Params(with_overrides(settings, parse_overrides(args.overrides)))

    def job_of(self, settings: Mapping[str, Any]) -> Type[ArtefactJob]:
        return RowIds if "rows" in settings else PoolRows


@Subcommand.register("queries")
class QueriesCommand(ArtefactCommand):
    """
    Writes the queries of a retrieval for other programs: `allennlp queries CONFIG -s DIR`, with the configuration of
    `allennlp retrieve`, writes `DIR/TARGET.tsv`, lines `NUMBER<TAB>TEXT`, and `DIR/TARGET.trec`, the same as TREC's
    topics, as pyserini's tools take them. The run that these write is read back by the retriever `search_log`.

    Registered as a `Subcommand` with name "queries".
    """

    job = QueryDump
    summary = "Write the queries of a retrieval's configuration as numbered lines, for pyserini's tools."


def _numbers(path: Path, rows: int) -> List[int]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text ({error})") from error
    numbers = []
    for place, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if not text.isdecimal() or len(text) > 18 or int(text) >= rows:
            raise ConfigurationError(f"{path}:{place}: {text[:40]!r} is no number of a row, 0 to {rows - 1}")
        numbers.append(int(text))
    return numbers
