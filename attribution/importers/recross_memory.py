"""Memories of ReCross's published code."""

import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.json_lines import json_line
from attribution.common.manifest import Identity, fingerprint, write_manifest
from attribution.common.rows import local_file
from attribution.data.triples import from_triple
from attribution.encoders import Encoder
from attribution.encoders.transformer import TransformerEncoder
from attribution.encoders.vectors import shards, source, write_shard
from attribution.importers.importer import Importer
from attribution.importers.plain_pickle import read_plain_pickle, vectors_of
from attribution.retrievers import Pool

_EXPECTED = "a memory of ReCross's, a dictionary with `memory_examples`"
_SHARD_ROWS = 16384
_ROWS_TRIED = 16
_NEARLY = 0.01
"""So far, of its length, a vector may be from the same one that was computed elsewhere."""


class _Memory(NamedTuple):
    where: Path
    triples: List[Any]
    """`[input, [references], id]`, in the order of the vectors."""
    vectors: Optional[np.ndarray]


@Importer.register("recross_memory")
class ReCrossMemory(Importer):
    """
    A pickle in which ReCross's own code (Lin et al., 2022) keeps upstream examples with their vectors: merged, or one
    of each shard (`bart0_memory.pkl.0_of_32` and so on, of which `bart0_memory.pkl` is named); or, of its random
    retrieval, without. It becomes `pool.jsonl`, the `pool` of a retrieval, and `vectors`, what `allennlp embed` would
    write of it: `vectors` of the retrievers `exact` and `faiss`. Some rows are encoded, to see that the vectors are the
    encoder's.

    Registered as an `Importer` with name "recross_memory".

    # Parameters

    path : `str`
        The file.
    allow_pickle : `bool`, optional (default = `False`)
        Read a pickle. Only arrays, lists, dictionaries, texts, numbers and flat indexes of faiss's are made; one that
        asks for anything else is refused, and nothing in it is executed.
    model_name : `str`, optional
        The BART whose encoder made the vectors: a hub id or a local folder. Texts begin with `<s> <s>`, as published.
    encoder : `Encoder`, optional
        Or another encoder: for SBERT `{"type": "sentence_transformers", ...}`.
    """

    summary = "ReCross's memory pickle, with --allow-pickle -> a pool and its stored vectors"

    def __init__(
        self,
        path: str,
        allow_pickle: bool = False,
        model_name: Optional[str] = None,
        encoder: Optional[Encoder] = None,
    ) -> None:
        self.paths = _shards(path)
        if not allow_pickle:
            raise ConfigurationError(
                f"{self.paths[0]}: a memory is a pickle, which could execute code; `allow_pickle` (--allow-pickle) "
                "reads plain data of it, and nothing else"
            )
        if model_name is not None and encoder is not None:
            raise ConfigurationError("recross_memory: `model_name` and `encoder` both say what made the vectors")
        if model_name is not None:
            encoder = TransformerEncoder(model_name, extra_bos=True)
        self.encoder = encoder

    def files(self) -> List[Path]:
        return self.paths

    def identity(self, given: Identity) -> Identity:
        return given if self.encoder is None else {**given, "encoder": self.encoder.identity}

    def write(self, directory: Path) -> str:
        pool, found = directory / "pool.jsonl", []
        rows = 0
        with pool.open("w", encoding="utf-8") as file:
            for memory in map(_read, self.paths):
                for triple in memory.triples:
                    where = f"{memory.where}: example {rows + 1}"
                    file.write(json_line(from_triple(_as_list(triple), where), where) + "\n")
                    rows += 1
                found.append(memory.vectors)
        if all(vectors is None for vectors in found):
            if self.encoder is not None:
                raise ConfigurationError(f"{self.paths[0]}: has no vectors; leave the encoder out")
            return f"pool.jsonl, {rows} rows, without vectors"
        vectors = _joined(found, self.paths)
        if self.encoder is None:
            raise ConfigurationError(
                f"{self.paths[0]}: has vectors of {vectors.shape[1]} numbers; say which BART made them (`model_name`, "
                "--model-name), or which other `encoder`"
            )
        self._check(pool, vectors)
        self._store(pool, vectors)
        return f"pool.jsonl, {rows} rows, and their vectors of {vectors.shape[1]} numbers"

    def _store(self, pool: Path, vectors: np.ndarray) -> None:
        """As `allennlp embed` does."""
        assert self.encoder is not None
        folder = pool.parent / "vectors"
        folder.mkdir()
        for shard in shards(len(vectors), _SHARD_ROWS):
            write_shard(folder, shard, vectors[shard.first : shard.end])
        stored = {"rows": len(vectors), "dtype": "float32", "shard_rows": _SHARD_ROWS}
        identity = {**source(Pool(str(pool)).identity(), self.encoder), **stored}
        inputs = [{**fingerprint(pool), "path": pool.name}]
        write_manifest(folder, "embed", inputs, {}, identity)

    def _check(self, pool: Path, vectors: np.ndarray) -> None:
        """
        # Raises

        `ConfigurationError` if the encoder makes others of some rows.
        """
        assert self.encoder is not None
        numbers = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), _ROWS_TRIED)).astype(np.int64))
        texts = [row.text for row in Pool(str(pool)).whole().among(numbers.tolist()).texts("reading some rows")]
        encoded = self.encoder.encode(texts)
        if encoded.shape[1] != vectors.shape[1]:
            raise ConfigurationError(
                f"{self.paths[0]}: has vectors of {vectors.shape[1]} numbers; the encoder's have {encoded.shape[1]}"
            )
        apart = np.linalg.norm(encoded - vectors[numbers], axis=1) / np.linalg.norm(encoded, axis=1)
        if not apart.max() <= _NEARLY:
            raise ConfigurationError(
                f"{self.paths[0]}: the vectors are not this encoder's: that of row {int(numbers[apart.argmax()]) + 1} "
                f"is {apart.max():.0%} of its length away. Name the encoder that made them, with its settings "
                "(`extra_bos`, `pooling`, `max_length`)"
            )


def _shards(path: str) -> List[Path]:
    """
    The file or, where there is none of the name, the files `PATH.0_of_N`, ...

    # Raises

    `ConfigurationError` if there is neither, or not every shard.
    """
    if path and not Path(path).exists():
        pattern = re.compile(rf"{re.escape(Path(path).name)}\.(\d+)_of_(\d+)")
        parent = Path(path).parent
        matches = list(filter(None, map(pattern.fullmatch, [file.name for file in parent.glob("*")])))
        found: Dict[int, str] = {int(match[1]): match[0] for match in matches}
        counts = {int(match[2]) for match in matches}
        if matches:
            missing = set(range(max(counts))) - found.keys()
            if len(counts) > 1 or missing:
                lack = f"there is no {min(missing)}_of_{max(counts)}" if missing else f"of {sorted(counts)} shards"
                raise ConfigurationError(f"{path}: its shards are not all there, or of several numbers: {lack}")
            return [local_file(parent / found[number]) for number in sorted(found)]
    return [local_file(path)]


def _read(path: Path) -> _Memory:
    content = read_plain_pickle(path)
    examples = content.get("memory_examples") if isinstance(content, dict) else None
    if not isinstance(examples, dict) or not examples:
        kind = f"the keys {list(content)[:4]}" if isinstance(content, dict) else f"a {type(content).__name__}"
        raise ConfigurationError(f"{path}: not {_EXPECTED}; it has {kind}")
    if content.get("memory_index") is None:
        return _Memory(path, list(examples.values()), None)
    ids = content.get("memory_example_ids")
    missing = [one for one in ids if not isinstance(one, str) or one not in examples] if isinstance(ids, list) else None
    if missing is None or missing:
        what = "is no list" if missing is None else f"has {missing[0]!r}, which is no example"
        raise ConfigurationError(f"{path}: not {_EXPECTED}: its `memory_example_ids` {what}")
    vectors = vectors_of(content["memory_index"], f"{path}: memory_index")
    if len(vectors) != len(ids):
        raise ConfigurationError(f"{path}: has {len(vectors)} vectors and {len(ids)} `memory_example_ids`")
    return _Memory(path, [examples[one] for one in ids], vectors)


def _joined(found: List[Optional[np.ndarray]], paths: List[Path]) -> np.ndarray:
    for path, vectors in zip(paths, found):
        if vectors is None:
            raise ConfigurationError(f"{path}: has no vectors, and other shards have some")
    widths = {vectors.shape[1] for vectors in found if vectors is not None}
    if len(widths) > 1:
        raise ConfigurationError(f"{paths[0]}: its shards have vectors of {sorted(widths)} numbers")
    return np.concatenate([vectors for vectors in found if vectors is not None])


def _as_list(triple: Any) -> Any:
    """The random memory has tuples."""
    return list(triple) if isinstance(triple, tuple) else triple
