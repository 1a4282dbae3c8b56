"""Pool rows that a target's evaluation already has."""

import re
from collections import Counter, defaultdict
from typing import Dict, List, NamedTuple, Optional, Set, Tuple

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.data.dataset_readers import P3JsonlReader, PromptedReader
from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved

_WORD = re.compile(r"\w+")


class Overlap(NamedTuple):
    """Rows that were found and may not be kept."""

    exact: Set[int]
    near: Set[int]


class OverlapFilter(FromParams):
    """
    Finds rows whose input is an evaluation input, word for word (letter case and punctuation aside), or nearly so: the
    Jaccard similarity of their sets of word n-grams, counted exactly, not estimated by hashes.

    # Parameters

    path : `str`
        The file of the target's evaluation rows.
    reader : `DatasetReader`, optional (default = `p3_jsonl`)
        What makes their prompts.
    near : `float`, optional (default = `0.8`)
        Rows that are at least so similar to an evaluation input are left out, too; 1 leaves only equal ones out.
    ngram : `int`, optional (default = `5`)
        How many words; of a text with fewer, all of it.
    """

    def __init__(self, path: str, reader: Optional[DatasetReader] = None, near: float = 0.8, ngram: int = 5) -> None:
        reader = reader or P3JsonlReader()
        if not isinstance(reader, PromptedReader):
            raise ConfigurationError(f"overlap.reader: a {type(reader).__name__} does not make prompts")
        if not 0 < near <= 1 or ngram < 1:
            raise ConfigurationError(f"overlap: near is {near}, ngram is {ngram}; 0 < near <= 1 and ngram >= 1")
        self.files = reader.open(path).files()
        """What it was made from."""
        self.near = near
        self.ngram = ngram
        self._texts: Set[str] = set()
        self._sizes: List[int] = []
        self._holders: Dict[Tuple[str, ...], List[int]] = defaultdict(list)
        for number, example in enumerate(reader.examples(path, labelled=False)):
            words = _words(example.input)
            self._texts.add(" ".join(words))
            grams = self._grams(words)
            self._sizes.append(len(grams))
            for gram in grams:
                self._holders[gram].append(number)

    def find(self, pool: Pool, retrieved: Retrieved) -> Overlap:
        """Which of the rows that were found are in the evaluation."""
        overlap = Overlap(set(), set())
        ids = np.unique(retrieved.ids[retrieved.ids >= 0])
        for row in Tqdm.tqdm(pool.rows.take(ids.tolist()), desc="comparing with the evaluation", total=len(ids)):
            words = _words(row.content["input"])
            if " ".join(words) in self._texts:
                overlap.exact.add(row.number)
            elif self._similarity(words) >= self.near:
                overlap.near.add(row.number)
        return overlap

    def has(self, text: str) -> bool:
        """Whether a text is an evaluation input, word for word."""
        return " ".join(_words(text)) in self._texts

    def _similarity(self, words: List[str]) -> float:
        """The highest to any evaluation input."""
        grams = self._grams(words)
        shared = Counter(number for gram in grams for number in self._holders.get(gram, ()))
        return max((count / (len(grams) + self._sizes[number] - count) for number, count in shared.items()), default=0)

    def _grams(self, words: List[str]) -> Set[Tuple[str, ...]]:
        size = min(self.ngram, len(words))
        return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)} if size else set()


def without(retrieved: Retrieved, rows: Set[int]) -> Retrieved:
    """What was found less these rows; what follows moves up."""
    kept = (retrieved.ids >= 0) & ~np.isin(retrieved.ids, sorted(rows))
    order = np.argsort(~kept, axis=1, kind="stable")
    kept = np.take_along_axis(kept, order, axis=1)
    ids, scores = (np.take_along_axis(values, order, axis=1) for values in retrieved)
    return Retrieved(np.where(kept, ids, -1), np.where(kept, scores, np.float32(-np.inf)))


def _words(text: str) -> List[str]:
    return _WORD.findall(text.lower())
