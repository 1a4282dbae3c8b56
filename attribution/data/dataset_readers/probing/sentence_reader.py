"""From the sentences of a file to instances of words and their labels."""

from typing import Any, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set

import numpy as np
from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader
from allennlp.data.fields import MetadataField
from allennlp.data.instance import Instance

from attribution.data.dataset_readers.shards import shard_of
from attribution.data.fields import WordLabel, WordLabelsField


class Sentence(NamedTuple):
    """One sentence, cut into words."""

    words: List[str]
    labels: Optional[Sequence[WordLabel]]
    """One for each word: its class, its number, or None if it has no label. None where there are no labels at all."""
    number: int
    """Its 0-based position among the sentences of its file: its identity, whatever process reads it."""
    where: str = "the given words"
    """`file:line` of its start, for messages."""


class SentenceReader(DatasetReader):
    """
    Base of the readers that probe the features of words, as Liu et al. (2019, https://arxiv.org/abs/1903.08855) and
    Huang et al. (NeurIPS 2021) do. It owns the loop; a task says which part of a file is a sentence, in `blocks`, and
    what its words and labels are, in `parse`. Sentences are shared over processes before they are parsed.

    An `Instance` has the fields `words` (`MetadataField`, a list of texts), `sentence` (`MetadataField`, its number)
    and, where there are labels, `labels` (`WordLabelsField`) and `details` (`MetadataField`): `{"labels": [...]}`, the
    labels as the file has them, with which spans of a class that training never saw still count as missed.

    There are no token ids: the same words go through many checkpoints, each with its own tokenizer, once, and what a
    probe sees is their features, found by sentence and word. Classes are in the vocabulary's namespace "labels".

    # Parameters

    fraction : `float`, optional (default = `1.0`)
        Of a file's sentences only so many, drawn at random, in the file's order: one over 4 and one over 2 of a seed
        have the first in common.
    fraction_seed : `int`, optional (default = `0`)
        Of the draw.
    """

    namespace: Optional[str] = "labels"
    """Where the vocabulary has the classes; None for a task whose labels are numbers."""

    def __init__(self, fraction: float = 1.0, fraction_seed: int = 0, **kwargs: Any) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        if not 0 < fraction <= 1:
            raise ConfigurationError(f"fraction is {fraction}; above 0, up to 1 is needed")
        if fraction_seed < 0:
            raise ConfigurationError(f"fraction_seed is {fraction_seed}; from 0 on is needed")
        self.fraction = fraction
        self.fraction_seed = fraction_seed

    def blocks(self, file_path: str) -> Iterator[Any]:
        """The part of the file that each sentence is in, as `parse` takes it."""
        raise NotImplementedError

    def parse(self, block: Any, number: int) -> Sentence:
        """The sentence of a block."""
        raise NotImplementedError

    def sentences(self, file_path: str) -> Iterator[Sentence]:
        """This process's share of the sentences."""
        index, count = shard_of(self)
        left_out = self._left_out(file_path) if self.fraction < 1 else set()
        number = -1
        for number, block in enumerate(self.blocks(file_path)):
            if number % count == index and number not in left_out:
                yield self.parse(block, number)
        if number < 0:
            raise ConfigurationError(f"{file_path}: has no sentences")

    def _left_out(self, file_path: str) -> Set[int]:
        """The numbers of those that were not drawn; one at least was."""
        count = sum(1 for _ in self.blocks(file_path))
        drawn = max(1, round(self.fraction * count))
        return set(np.random.default_rng(self.fraction_seed).permutation(count)[drawn:].tolist())

    def text_to_instance(  # type: ignore[override]
        self, words: List[str], labels: Optional[Sequence[WordLabel]] = None, number: int = 0
    ) -> Instance:
        fields: Any = {"words": MetadataField(words), "sentence": MetadataField(number)}
        if labels is not None:
            fields["labels"] = WordLabelsField(labels, self.namespace)
            fields["details"] = MetadataField({"labels": labels})
        return Instance(fields)

    def _read(self, file_path: str) -> Iterable[Instance]:
        for sentence in self.sentences(file_path):
            yield self.text_to_instance(sentence.words, sentence.labels, sentence.number)
