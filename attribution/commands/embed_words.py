"""`allennlp embed` of words: the vectors that a checkpoint has for each word of a text."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.commands.artefact_command import ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import Identity, fingerprint
from attribution.common.rows import local_file
from attribution.data.dataset_readers.probing.probe_text import ProbeTextReader
from attribution.data.dataset_readers.probing.sentence_reader import Sentence, SentenceReader
from attribution.encoders import Encoder, TransformerEncoder, vectors
from attribution.encoders.stored_words import SENTENCES
from attribution.encoders.vectors import LABELS


class Words(FromParams):
    """
    The words of a text, or of a labelled file.

    # Parameters

    path : `str`
    reader : `DatasetReader`, optional (default = `probe_text`)
        What cuts the file into sentences of words: `probe_text` or a task of words, `conll2003_ner` say.
    size : `int`, optional
        Only so many sentences, the first. By default all.
    """

    def __init__(self, path: str, reader: Optional[DatasetReader] = None, size: Optional[int] = None) -> None:
        reader = ProbeTextReader() if reader is None else reader
        if not isinstance(reader, SentenceReader):
            raise ConfigurationError(f"words.reader: {type(reader).__name__} reads no sentences of words")
        if size is not None and size < 1:
            raise ConfigurationError(f"words.size is {size}; at least one sentence is needed")
        self.path = local_file(path, "text ")
        sentences = list(islice(reader.sentences(path), size))
        self.sentences = [sentence.words for sentence in sentences]
        self.labels = _labels(sentences)
        # Shape: (sentences + 1,)
        self.starts = np.cumsum([0, *map(len, self.sentences)])
        """The number of each sentence's first word among all; at the end the number of words."""

    def __len__(self) -> int:
        return int(self.starts[-1])


def _labels(sentences: Sequence[Sentence]) -> Optional[np.ndarray]:
    """Of each word its number, or that of its class in alphabetical order; none if a word has none. Shape: (words,)"""
    labels = [label for sentence in sentences for label in sentence.labels or [None]]
    if None in labels:
        return None
    values = np.array(labels)
    return values if isinstance(labels[0], float) else np.unique(values, return_inverse=True)[1]


class WordEmbedding(ArtefactJob):
    """
    The configuration of `allennlp embed` where it has `words`.

    Row numbers are those of the words, whatever the checkpoint: `sentences.jsonl` has the words of each sentence, for
    `linear_token_probe`, and `labels.npy`, where all words have one, their labels, for `log_me` and `h_score`. A word
    that the checkpoint does not read whole has a row of zeros, which `allennlp similarity` leaves out for all
    checkpoints.

    # Parameters

    words : `Words`
    encoder : `Encoder`
        One of type `transformer`. Its `pooling` is over the pieces of a word: `first`, `last` and `mean` are those of
        Huang et al. (NeurIPS 2021), who take the last; its `max_length` is that of a sentence.
    dtype : `str`, optional (default = `"float16"`)
        `float16` or `float32`: how vectors are stored.
    shard_rows : `int`, optional (default = `16384`)
        Words a file: what is lost when the process is killed is at most one of them.
    """

    goes_on = True

    def __init__(self, words: Words, encoder: Encoder, dtype: str = "float16", shard_rows: int = 16384) -> None:
        vectors.check_storage(dtype, shard_rows)
        if not isinstance(encoder, TransformerEncoder):
            raise ConfigurationError("encoder: words have vectors of the encoder `transformer` only")
        self.words = words
        self.encoder = encoder
        self.dtype = dtype
        self.shard_rows = shard_rows

    def inputs(self) -> List[Path]:
        return [self.words.path]

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        content = fingerprint(self.words.path)
        settings = {key: value for key, value in configuration["words"].items() if key != "path"}
        rows = {"bytes": content["bytes"], "sha256": content["sha256"], "words": settings}
        return {
            **vectors.source(rows, self.encoder),
            "rows": len(self.words),
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
        }

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the shards that are not in `directory` yet."""
        lines = (json.dumps(words, ensure_ascii=False) + "\n" for words in self.words.sentences)
        (directory / SENTENCES).write_text("".join(lines), encoding="utf-8")
        if self.words.labels is not None:
            np.save(directory / LABELS, self.words.labels)
        every = vectors.shards(len(self.words), self.shard_rows)
        vectors.write_missing(directory, every, self.dtype, engine, _Encode(self.encoder, self.dtype), self._part)
        unread = sum(int((~vectors.open_shard(directory / shard.file).any(axis=1)).sum()) for shard in every)
        cut = f", {unread} of them not read whole: zeros" if unread else ""
        return f"{len(self.words)} words of {len(self.words.sentences)} sentences{cut}"

    def _part(self, shard: vectors.Shard) -> "_Part":
        """The sentences that a shard has words of; those on its edges are in the next one, too."""
        first = int(np.searchsorted(self.words.starts, shard.first, side="right")) - 1
        end = int(np.searchsorted(self.words.starts, shard.end))
        before = shard.first - int(self.words.starts[first])
        return _Part(self.words.sentences[first:end], slice(before, before + shard.end - shard.first))


class _Part(NamedTuple):
    sentences: List[List[str]]
    words: slice
    """Those of them that are wanted."""


class _Encode:
    def __init__(self, encoder: TransformerEncoder, dtype: str) -> None:
        self.encoder = encoder
        self.dtype = dtype

    def __call__(self, part: _Part) -> np.ndarray:
        with np.errstate(over="ignore"):  # What overflows is refused with its shard.
            return self.encoder.encode_words(part.sentences)[part.words].astype(self.dtype)
