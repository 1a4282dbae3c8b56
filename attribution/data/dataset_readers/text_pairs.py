"""Pairs of texts with a label, and the tuples that rerankers are trained on."""

from functools import cached_property
from typing import Any, Iterable, Iterator, List, NamedTuple, Optional

from allennlp.common.util import lazy_groups_of
from allennlp.data.dataset_readers.dataset_reader import DatasetReader
from allennlp.data.fields import MetadataField
from allennlp.data.instance import Instance

from attribution.common.rows import Row, RowError
from attribution.data.dataset_readers.shards import shard_of
from attribution.data.fields import NumberField, TokenIdsField
from attribution.data.formats import open_rows
from attribution.data.pair_tokenizer import PairTokenizer

_PAIRS_PER_BLOCK = 512
_EXAMPLES = ("query_examples", "positive_examples", "negative_examples")


class TextPair(NamedTuple):
    """Two texts, and whether they go together."""

    first: str
    second: str
    label: Optional[int]
    """1 or 0; None where it is not known."""
    row: int
    """The number of the row it came from."""


@DatasetReader.register("text_pairs")
class TextPairReader(DatasetReader):
    """
    Reads rows `{"first": str, "second": str, "label": 0 or 1}`, or the tuples of `allennlp mine-tuples` and of ReCross
    (Lin et al., 2022, https://arxiv.org/abs/2204.07937): `{"query_examples", "positive_examples",
    "negative_examples"}`, each a list of triples `[input, [references], id]`. Of a tuple each query with each positive
    example is a pair with label 1, and with each negative one a pair with label 0; inputs only, the query's first.

    An `Instance` has the fields `pair` (`TokenIdsField`), `segments` (`TokenIdsField`, where the model wants them),
    `row` (`MetadataField`) and `label` (`NumberField`).

    Registered as a `DatasetReader` with name "text_pairs".

    # Parameters

    model_name : `str`
        Whose tokenizer to use: a hub id or a local folder.
    max_length : `int`, optional (default = `512`)
        Tokens of a pair; of a longer one the longer text is cut.
    lower_case : `bool`, optional (default = `False`)
        Lower-case the texts first, as ReCross does before RoBERTa.
    first, second, label : `str`, optional
        The keys of a pair, where they are called something else.
    """

    def __init__(
        self,
        model_name: str,
        max_length: int = 512,
        lower_case: bool = False,
        first: str = "first",
        second: str = "second",
        label: str = "label",
        **kwargs: Any,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        self.model_name = model_name
        self.max_length = max_length
        self.lower_case = lower_case
        self.keys = (first, second, label)

    @cached_property
    def tokenizer(self) -> PairTokenizer:
        return PairTokenizer(self.model_name, self.max_length, self.lower_case)

    def pairs(self, file_path: str) -> Iterator[TextPair]:
        """
        The pairs of this process's share of the rows.

        # Raises

        `RowError` if a row is neither a pair nor a tuple with at least one pair.
        """
        for row in open_rows(file_path).shard(*shard_of(self)):
            yield from _tuple_pairs(row) if _EXAMPLES[0] in row.content else (self._pair(row),)

    def text_to_instance(self, first: str, second: str, label: Optional[int] = None) -> Instance:  # type: ignore[override]
        """An instance of one pair: what a predictor needs."""
        return next(self._instances([TextPair(first, second, label, 0)]))

    def _read(self, file_path: str) -> Iterable[Instance]:
        for block in lazy_groups_of(self.pairs(file_path), _PAIRS_PER_BLOCK):
            yield from self._instances(block)

    def _instances(self, block: List[TextPair]) -> Iterator[Instance]:
        encoded = self.tokenizer([pair.first for pair in block], [pair.second for pair in block])
        for place, pair in enumerate(block):
            fields: Any = {
                "pair": TokenIdsField(encoded.ids[place], self.tokenizer.pad_id),
                "row": MetadataField(pair.row),
            }
            if encoded.segments is not None:
                fields["segments"] = TokenIdsField(encoded.segments[place], 0)
            if pair.label is not None:
                fields["label"] = NumberField(pair.label)
            yield Instance(fields)

    def _pair(self, row: Row) -> TextPair:
        first, second, label = (row.content.get(key) for key in self.keys)
        for key, text in zip(self.keys, (first, second)):
            if not isinstance(text, str) or not text.strip():
                raise RowError(row.where, f"no text under `{key}`", f"; there are {sorted(row.content)}")
        label = int(label) if label in ("0", "1") else label  # As CSV has it.
        if label not in (0, 1):
            raise RowError(row.where, f"`{self.keys[2]}` is not 0 or 1", f", but {label!r:.80}")
        return TextPair(str(first), str(second), int(label), row.number)


def _tuple_pairs(row: Row) -> Iterator[TextPair]:
    queries, positives, negatives = (_inputs(row, key) for key in _EXAMPLES)
    for query in queries:
        for texts, label in ((positives, 1), (negatives, 0)):
            for text in texts:
                yield TextPair(query, text, label, row.number)


def _inputs(row: Row, key: str) -> List[str]:
    triples = row.content.get(key)
    if not isinstance(triples, list) or not triples:
        raise RowError(row.where, f"`{key}` is not a list of triples, at least one", f", but {triples!r:.80}")
    for triple in triples:
        if not isinstance(triple, list) or len(triple) != 3 or not isinstance(triple[0], str) or not triple[0].strip():
            raise RowError(row.where, f"`{key}` has no triple [input, [references], id]", f", but {triple!r:.80}")
    return [triple[0] for triple in triples]
