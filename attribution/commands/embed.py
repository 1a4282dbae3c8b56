"""
`allennlp embed`: the vectors of a pool's rows, stored once so that retrieval need not encode again.
"""

import argparse
import re
import shutil
from glob import glob
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Type

import numpy as np
from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides
from allennlp.common.port import writing_beside

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.embed_images import ImageEmbedding
from attribution.commands.embed_words import WordEmbedding
from attribution.common.engines import Engine
from attribution.common.manifest import Identity, check_products, first_difference, read_manifest
from attribution.encoders import Encoder, vectors
from attribution.encoders.vectors import Shard
from attribution.retrievers.pool import ROWS_PER_PART, Pool


class Embedding(ArtefactJob):
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
    part : `str`, optional
        Such as `2/8`: of eight parts of the files the second alone, for an array of jobs that share nothing but a disk.
    parts : `str`, optional
        The directories that such jobs wrote, a pattern: their files are taken over, and what none has is encoded. The
        vectors are then those of one job.
    """

    goes_on = True

    def __init__(
        self,
        pool: Pool,
        encoder: Encoder,
        dtype: str = "float16",
        shard_rows: int = 16384,
        part: Optional[str] = None,
        parts: Optional[str] = None,
    ) -> None:
        vectors.check_storage(dtype, shard_rows)
        if part is not None and parts is not None:
            raise ConfigurationError("embed: part is for one of many jobs, parts for the one after them; leave one out")
        if pool.exclude_tasks:
            raise ConfigurationError("pool.exclude_tasks: embed stores the whole pool; exclude tasks when retrieving")
        self.pool = pool
        self.encoder = encoder
        self.dtype = dtype
        self.shard_rows = shard_rows
        self.part = part
        self.shards = _part_of(vectors.shards(len(pool.rows), shard_rows), part)
        self.parts = parts

    def inputs(self) -> List[Path]:
        return self.pool.files

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        return {
            **vectors.source(self.pool.identity(), self.encoder),
            "rows": len(self.pool.rows),
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
            **({} if self.part is None else {vectors.PART: self.part}),
        }

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the shards that are not in `directory` yet."""
        every = self.shards
        if self.parts is not None:
            self._take_over(directory)
        missing = vectors.missing_shards(directory, every, self.dtype)
        encoded = engine.map(_Encode(self.encoder, self.dtype), self._parts(missing))
        cut = 0
        for shard in missing:
            parts = list(islice(encoded, len(_starts(shard))))
            vectors.write_shard(directory, shard, np.concatenate([part.vectors for part in parts]))
            cut += sum(part.texts_cut for part in parts)
        vectors.check_widths(directory, every)
        now = sum(shard.end - shard.first for shard in missing)
        longer = f", {cut} of texts that were cut" if cut else ""
        there = sum(shard.end - shard.first for shard in every)
        return f"{there} vectors, {now} of them encoded now{longer}"

    def _take_over(self, directory: Path) -> None:
        """The files of other jobs."""
        wanted = self.identity({})
        folders = sorted(glob(str(self.parts)))
        if not folders:
            raise ConfigurationError(f"parts: nothing is there under {self.parts}")
        check_products(map(Path, folders), thorough=True)
        for folder in map(Path, folders):
            there = {key: value for key, value in read_manifest(folder)["identity"].items() if key != vectors.PART}
            difference = first_difference(there, wanted)
            if difference:
                raise ConfigurationError(f"{folder}: a part of something else: {difference}")
            for path in sorted(folder.glob("*.npy")):
                if not (directory / path.name).exists():
                    with writing_beside(directory / path.name) as beside:
                        shutil.copyfile(path, beside)

    def _parts(self, missing: Sequence[Shard]) -> Iterator[List[str]]:
        texts = (row.text for row in self.pool.whole().texts("encoding the pool"))
        place = 0
        for shard in missing:
            for _ in islice(texts, shard.first - place):  # In shards that are there.
                pass
            for start in _starts(shard):
                yield list(islice(texts, min(ROWS_PER_PART, shard.end - start)))
            place = shard.end


def _part_of(every: List[Shard], part: Optional[str]) -> List[Shard]:
    """Of `2/8` the second of eight runs of shards, as long as one another or one longer."""
    if part is None:
        return every
    found = re.fullmatch(r"(\d+)/(\d+)", part)
    number, count = (int(digits) for digits in found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise ConfigurationError(f"part is {part!r}; 1/8 to 8/8 are the parts of eight jobs")
    if count > len(every):
        raise ConfigurationError(
            f"part is {part!r}, and the pool has {len(every)} files of shard_rows; take fewer parts"
        )
    return every[(number - 1) * len(every) // count : number * len(every) // count]


def _starts(shard: Shard) -> range:
    return range(shard.first, shard.end, ROWS_PER_PART)


class _Encoded(NamedTuple):
    vectors: np.ndarray
    texts_cut: int


class _Encode:
    def __init__(self, encoder: Encoder, dtype: str) -> None:
        self.encoder = encoder
        self.dtype = dtype

    def __call__(self, texts: List[str]) -> _Encoded:
        before = self.encoder.texts_cut
        with np.errstate(over="ignore"):  # What overflows is refused with its shard.
            encoded = self.encoder.encode(texts).astype(self.dtype)
        return _Encoded(encoded, self.encoder.texts_cut - before)


@Subcommand.register("embed")
class Embed(ArtefactCommand):
    """
    Stores the vectors of a pool's rows or, where the configuration has `words` or `images`, of a text's words or of
    images: `allennlp embed CONFIG -s DIR`, or for words `allennlp embed --words TEXT --encoder MODEL -s DIR`. If it is
    stopped at any moment, the same command goes on after the last whole shard, and ends with the same bytes.

    Registered as a `Subcommand` with name "embed".
    """

    job: Type[ArtefactJob] = Embedding
    summary = "Encode a pool's rows, a text's words or images, and store their vectors."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument("param_path", type=str, nargs="?", help="the configuration (jsonnet); or else:")
        subparser.add_argument("--words", type=str, help="a text, a sentence a line, whose words have vectors")
        subparser.add_argument("--encoder", type=str, help="a model")
        subparser.add_argument("--pooling", type=str, help="of a word's pieces: first, last (the default) or mean")

    def params(self, args: argparse.Namespace) -> Params:
        """By flags words are those of words.jsonnet, so that vectors of both are of the same rows."""
        flags = [name for name in ("words", "encoder", "pooling") if getattr(args, name) is not None]
        if args.param_path is not None:
            if flags:
                raise ConfigurationError(f"embed: --{flags[0]} beside a configuration; change that with -o")
            return super().params(args)
        if args.words is None or args.encoder is None:
            raise ConfigurationError("embed: name a configuration, or --words and --encoder")
        settings = {
            "words": {"path": args.words, "reader": {"type": "probe_text", "min_words": 10}},
            "encoder": {"type": "transformer", "model_name": args.encoder, "pooling": args.pooling or "last"},
        }
        return Params(with_overrides(settings, parse_overrides(args.overrides)))

    def job_of(self, settings: Mapping[str, Any]) -> Type[ArtefactJob]:
        jobs: Dict[str, Type[ArtefactJob]] = {"words": WordEmbedding, "images": ImageEmbedding}
        return next((job for key, job in jobs.items() if key in settings), Embedding)
