"""How well the labels of words are found."""

from typing import Any, Dict, FrozenSet, List, Optional, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_utils.span_utils import (
    InvalidTagSequence,
    bio_tags_to_spans,
    iob1_tags_to_spans,
)

from attribution.metrics.correlation import Pearson
from attribution.metrics.text_metric import TextMetric, mean

_ENCODINGS = {"BIO": bio_tags_to_spans, "IOB1": iob1_tags_to_spans}


class WordMetric(TextMetric):
    """
    Base of the metrics of words' labels. A row is a sentence: of each of its words that has a label, the classes that
    are thought best, best first, and the right one, as texts; or two numbers.
    """

    depth = 1
    """So many of the best classes are looked at."""
    numbers = False
    """Whether labels are numbers."""


@WordMetric.register("accuracy")
class WordAccuracy(WordMetric):
    """
    `accuracy`, the share of words whose class is found, and `accuracy@K`, of those whose class is among the K best.

    Registered as a `WordMetric` with name "accuracy".

    # Parameters

    at : `List[int]`, optional (default = none)
        The K.
    """

    def __init__(self, at: Optional[List[int]] = None) -> None:
        super().__init__()
        self.at = at or []
        if any(k < 2 for k in self.at):
            raise ConfigurationError(f"accuracy: at is {self.at}; numbers from 2 on are needed")
        self.depth = max([1, *self.at])

    def record(self, prediction: Any, details: Any) -> List[int]:
        """The rank of each right class, from 0."""
        return [best.index(right) if right in best else self.depth for best, right in zip(prediction, details)]

    def summary(self, records: Sequence[List[int]]) -> Dict[str, float]:
        ranks = [rank for record in records for rank in record]
        values = {f"accuracy@{k}": mean([float(rank < k) for rank in ranks]) for k in self.at}
        return {"accuracy": mean([float(rank == 0) for rank in ranks]), **values}


class CountedF1(WordMetric):
    """Base of `precision`, `recall` and `f1` of what can be found in a sentence, counted over all sentences."""

    def found(self, labels: List[str]) -> FrozenSet[Any]:
        """What these labels of a sentence's words say is there."""
        raise NotImplementedError

    def record(self, prediction: Any, details: Any) -> Tuple[int, int, int]:
        """How many are found rightly, found at all, and there."""
        predicted, right = self.found([best[0] for best in prediction]), self.found(list(details))
        return len(predicted & right), len(predicted), len(right)

    def summary(self, records: Sequence[Tuple[int, int, int]]) -> Dict[str, float]:
        both, predicted, right = map(sum, zip(*records)) if records else (0, 0, 0)
        return {
            "precision": both / max(predicted, 1),
            "recall": both / max(right, 1),
            "f1": 2 * both / max(predicted + right, 1),
        }


@WordMetric.register("span_f1")
class SpanF1(CountedF1):
    """
    `precision`, `recall` and `f1` of the spans that tags stand for (CoNLL-2000 and CoNLL-2003): a span is right if its
    kind and its ends are. Spans are read off the texts of tags as AllenNLP does it, so that those of a kind that
    training never saw count as missed.

    Registered as a `WordMetric` with name "span_f1".

    # Parameters

    encoding : `str`, optional (default = `"BIO"`)
        `BIO`, or `IOB1`, in which the original files of CoNLL-2003 are: B- only between two spans of a kind.
    """

    def __init__(self, encoding: str = "BIO") -> None:
        super().__init__()
        if encoding not in _ENCODINGS:
            raise ConfigurationError(f"span_f1: encoding {encoding!r} is none of {', '.join(_ENCODINGS)}")
        self.encoding = encoding

    def found(self, labels: List[str]) -> FrozenSet[Any]:
        try:
            return frozenset(_ENCODINGS[self.encoding](labels))
        except InvalidTagSequence as error:
            raise ConfigurationError(f"span_f1: {' '.join(labels)!r:.80} are no {self.encoding} tags") from error


@WordMetric.register("f1")
class LabelF1(CountedF1):
    """
    `precision`, `recall` and `f1` of one class of words.

    Registered as a `WordMetric` with name "f1".

    # Parameters

    label : `str`
        The class: `i` of token error detection.
    """

    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label

    def found(self, labels: List[str]) -> FrozenSet[Any]:
        return frozenset(place for place, label in enumerate(labels) if label == self.label)


@WordMetric.register("pearson")
class WordPearson(WordMetric):
    """
    Pearson's correlation of words' numbers, 0 where it is not defined.

    Registered as a `WordMetric` with name "pearson".
    """

    numbers = True

    def record(self, prediction: Any, details: Any) -> List[Tuple[float, float]]:
        return list(zip(prediction, details))

    def summary(self, records: Sequence[List[Tuple[float, float]]]) -> Dict[str, float]:
        return Pearson().summary([pair for record in records for pair in record])
