"""Words in common, weighted: BM25, by the bm25s library."""

from itertools import tee
from typing import Any, Sequence

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.retrievers.pool import Pool
from attribution.retrievers.retriever import Retrieved, Retriever

_EVERY_WORD = r"(?u)\b\w+\b"


@Retriever.register("bm25")
class Bm25Retriever(Retriever):
    """
    BM25 in Lucene's form (Kamphuis et al., 2020), over Porter stems of the prompts' words: without a Java what DEFT's
    pyserini path does. A row that shares no word with a query is not found by it. The index is in memory, about 10
    bytes a word of the pool.

    Registered as a `Retriever` with name "bm25".

    # Parameters

    k1 : `float`, optional (default = `0.9`)
        How soon a repeated word counts no more; pyserini's value.
    b : `float`, optional (default = `0.4`)
        How much longer rows count less; pyserini's value.
    language : `str`, optional (default = `"english"`)
        Of the stop words and of the stemmer (`porter` for English, else the Snowball stemmer of that name).
    """

    def __init__(self, k1: float = 0.9, b: float = 0.4, language: str = "english") -> None:
        if k1 < 0 or not 0 <= b <= 1:
            raise ConfigurationError(f"bm25: k1 is {k1} and b is {b}; k1 >= 0 and 0 <= b <= 1 are needed")
        self.k1 = k1
        self.b = b
        self.language = language

    def retrieve(self, pool: Pool, queries: Sequence[str], k: int) -> Retrieved:
        import bm25s

        tokenizer = self._tokenizer()
        for_ids, for_texts = tee(pool.texts("reading the pool's words"))
        words = tokenizer.streaming_tokenize((row.text for row in for_texts), allow_empty=False)
        rows = [(row.id, ids) for row, ids in zip(for_ids, words)]
        index = bm25s.BM25(k1=self.k1, b=self.b, method="lucene")
        index.index(([ids for _, ids in rows], tokenizer.get_vocab_dict()), show_progress=False)
        numbers = np.array([number for number, _ in rows], dtype=np.int64)
        wanted = tokenizer.streaming_tokenize(queries, update_vocab=False, allow_empty=False)
        ids = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for query, query_words in enumerate(Tqdm.tqdm(wanted, desc="searching", unit="query", total=len(queries))):
            if query_words:
                row_scores = index.get_scores_from_ids(query_words)
                best = _best(row_scores, k)
                ids[query, : len(best)] = numbers[best]
                scores[query, : len(best)] = row_scores[best]
        return Retrieved(ids, scores)

    def _tokenizer(self) -> Any:
        from bm25s.tokenization import Tokenizer
        from Stemmer import Stemmer

        try:
            stemmer = Stemmer("porter" if self.language == "english" else self.language)
            return Tokenizer(splitter=_EVERY_WORD, stopwords=self.language, stemmer=stemmer)
        except (KeyError, ValueError) as error:
            raise ConfigurationError(f"bm25: no stemmer or stop words for {self.language!r} ({error})") from error


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """The places of the `k` highest scores above zero, highest first, of equal ones the first place first."""
    if k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k]
        candidates = np.flatnonzero((scores >= least) & (scores > 0))
    else:
        candidates = np.flatnonzero(scores > 0)
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k]
