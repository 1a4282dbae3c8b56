"""Vectors of words that `allennlp embed` stored, found by their sentences."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError

from attribution.common.delta_folders import delta_folders
from attribution.common.json_files import read_json_object
from attribution.common.text_lines import read_lines
from attribution.encoders.vectors import Vectors

SENTENCES = "sentences.jsonl"
"""In a folder of words' vectors: of each sentence its words, a JSON list on a line."""


class StoredWords(FromParams):
    """
    What some checkpoints make of the words of sentences, side by side, as `allennlp embed` stored it.

    # Parameters

    folders : `str`
        A pattern of folders of `allennlp embed` with `words`, as `zoo/words/CHECKPOINT=*`. What stands for the asterisk
        is the checkpoint's name.
    names : `Union[str, List[str]]`, optional
        These checkpoints only, in this order; or the `selected.json` of `allennlp select`, whose names are taken. By
        default all.

    # Raises

    `ConfigurationError` if there is no such folder, or one that has no words.
    """

    def __init__(self, folders: str, names: Optional[Union[str, List[str]]] = None) -> None:
        there = delta_folders(folders, "features.folders")
        chosen = list(there) if names is None else _selected(names) if isinstance(names, str) else names
        missing = [name for name in chosen if name not in there]
        if missing or not chosen:
            what = f"there is no {missing[0]!r}" if missing else "they are none"
            raise ConfigurationError(f"features.names: {what}; {folders} has {', '.join(there)}")
        self.names = chosen
        self._sets = [_Words(there[name]) for name in chosen]

    def encode_words(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        """
        Shape: (words of all sentences, width of all checkpoints), float32

        # Raises

        `ConfigurationError`, naming folder and sentence, if a sentence is not there.
        """
        return np.concatenate([each.take(sentences) for each in self._sets], axis=1)


def words_of_sentences(folder: Path, count: int) -> int:
    """
    So many words the first sentences have.

    # Raises

    `ConfigurationError` if the folder of `allennlp embed` has no words, or fewer sentences.
    """
    lengths = [len(words) for words in islice(_sentences(folder), count)]
    if len(lengths) < count:
        raise ConfigurationError(f"{folder}: has {len(lengths)} sentences, and {count} are asked for")
    return sum(lengths)


def _sentences(folder: Path) -> Iterator[Tuple[str, ...]]:
    path = folder / SENTENCES
    if not path.is_file():
        raise ConfigurationError(f"{folder}: has no words; `allennlp embed` needs the setting `words` for that")
    return (tuple(json.loads(line.text)) for line in read_lines(path))


class _Words:
    """Those of one checkpoint."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vectors = Vectors(folder)
        self._starts: Dict[Tuple[str, ...], int] = {}
        start = 0
        for words in _sentences(folder):
            self._starts.setdefault(words, start)
            start += len(words)

    def take(self, sentences: Sequence[Sequence[str]]) -> np.ndarray:
        """Shape: (words, width)"""
        rows: List[np.ndarray] = [np.empty(0, dtype=np.int64)]
        for words in filter(None, sentences):
            start = self._starts.get(tuple(words))
            if start is None:
                raise ConfigurationError(
                    f"{self.folder}: has no sentence {' '.join(words)!r:.80}; embed the file that it is in"
                )
            rows.append(np.arange(start, start + len(words)))
        return self.vectors.take(np.concatenate(rows))


def _selected(path: str) -> List[str]:
    content: Dict[str, Any] = read_json_object(path)[0]
    names = content.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{path}: has no list of `names`, as the selected.json of `allennlp select`")
    return names
