"""A target's inputs, for which rows are retrieved."""

import logging
from itertools import islice
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Optional

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader

from attribution.data.dataset_readers import PromptedReader
from attribution.retrievers.overlap import OverlapFilter

logger = logging.getLogger(__name__)


class Query(NamedTuple):
    """One input of the target."""

    text: str
    counts: bool
    """Whether what it finds may be retrieved; otherwise it is in the search log only."""
    task: str
    """Its own task; empty where the reader does not say."""


class Queries(FromParams):
    """
    A target's inputs. Their labels are not looked at, unless `positive` says so.

    # Parameters

    path : `str`
        The file of the target's rows.
    reader : `DatasetReader`
        A reader of prompted rows (`prompted_reader`, `p3_jsonl`, ...): it makes the prompts.
    size : `int`, optional
        Use the first so many; all where there are fewer, which is logged.
    shuffle : `bool`, optional (default = `False`)
        Draw them at random (by `seed`) instead.
    positive : `str`, optional
        The answer of the inputs whose rows are wanted, where most inputs are of the other kind: in DEFT's Qasper, "Yes"
        for paragraphs that are evidence.
    negative_ratio : `float`, optional
        Of inputs with another answer than `positive`, so many per positive one are drawn, and the rest is left out.
    positive_only : `bool`, optional (default = `False`)
        Inputs with another answer are searched for and logged, but their rows are not retrieved.
    overlap : `OverlapFilter`, optional
        The target's evaluation: rows of the pool that are in it are not retrieved, nor replaced by further neighbours.
    on_bad_row : `str`, optional (default = `"stop"`)
        What to do with a row that is no input: `stop`, naming its line, or `skip` it, and count it.
    seed : `int`, optional (default = `0`)
    """

    def __init__(
        self,
        path: str,
        reader: DatasetReader,
        size: Optional[int] = None,
        shuffle: bool = False,
        positive: Optional[str] = None,
        negative_ratio: Optional[float] = None,
        positive_only: bool = False,
        overlap: Optional[OverlapFilter] = None,
        on_bad_row: str = "stop",
        seed: int = 0,
    ) -> None:
        if not isinstance(reader, PromptedReader):
            raise ConfigurationError(
                f"queries.reader: a {type(reader).__name__} does not make prompts; use prompted_reader or p3_jsonl"
            )
        if size is not None and size < 1:
            raise ConfigurationError(f"queries.size is {size}; at least one is needed")
        if positive is None and (positive_only or negative_ratio is not None):
            raise ConfigurationError("queries: negative_ratio and positive_only need positive, the answer that counts")
        if negative_ratio is not None and negative_ratio < 0:
            raise ConfigurationError(f"queries.negative_ratio is {negative_ratio}; at least 0 is needed")
        if on_bad_row not in ("stop", "skip"):
            raise ConfigurationError(f"queries.on_bad_row is {on_bad_row!r}; stop and skip are possible")
        self.path = path
        self.reader = reader
        self.files = reader.open(path).files()
        """What the inputs were made from."""
        self.overlap = overlap
        self.skip_bad_rows = on_bad_row == "skip"
        self.positive = positive
        generator = np.random.default_rng(seed)
        found = self._queries()
        queries = list(found if shuffle or negative_ratio is not None else islice(found, size))
        if negative_ratio is not None:
            queries = _with_fewer_negatives(queries, negative_ratio, generator)
        if shuffle:
            queries = [queries[place] for place in generator.permutation(len(queries))]
        queries = queries[:size]
        if not queries:
            counted = f"; {dict(reader.counts)}" if reader.counts else ""
            raise ConfigurationError(f"queries.path {path}: no query in it{counted}")
        if positive is not None and not any(query.counts for query in queries):
            raise ConfigurationError(f"queries.path {path}: no query has the answer {positive!r}")
        for reason, count in sorted(reader.counts.items()):
            logger.warning("%s: %d %s", path, count, reason)
        if size is not None and len(queries) < size:
            logger.warning("%s: %d queries were asked for, and there are %d", path, size, len(queries))
        self._asked = size
        self.texts: List[str] = [query.text for query in queries]
        self.count: List[bool] = [query.counts or not positive_only for query in queries]
        """Of each text, whether what it finds may be retrieved."""
        self.tasks: FrozenSet[str] = frozenset(query.task for query in queries if query.task)
        """The target's own tasks, as far as the reader says."""

    def about(self) -> Dict[str, int]:
        """How many were `used`, how many were `asked` for, and how many are in the evaluation that `overlap` names."""
        counts = {"used": len(self.texts)}
        if self._asked is not None:
            counts["asked"] = self._asked
        if self.overlap is not None:
            counts["in_evaluation"] = sum(map(self.overlap.has, self.texts))
        return counts

    def _queries(self) -> Iterator[Query]:
        for example in self.reader.examples(self.path, self.positive is not None, self.skip_bad_rows):
            if not example.input.strip():
                if not self.skip_bad_rows:
                    raise ConfigurationError(f"{example.where}: the query is empty")
                self.reader.counts["rows skipped: empty input"] += 1
                continue
            answer = None if example.answer is None else example.options[example.answer]
            task = str((example.details or {}).get("task") or "")
            yield Query(example.input, answer == self.positive or self.positive is None, task)


def _with_fewer_negatives(queries: List[Query], ratio: float, generator: np.random.Generator) -> List[Query]:
    """In their order."""
    positive = np.array([query.counts for query in queries], dtype=bool)
    negatives = np.flatnonzero(~positive)
    wanted = min(len(negatives), round(ratio * positive.sum()))
    kept = {*np.flatnonzero(positive), *generator.choice(negatives, wanted, replace=False)}
    return [query for place, query in enumerate(queries) if place in kept]
