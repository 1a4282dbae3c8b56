"""Queries with rows that helped them and rows that did not."""

from typing import Any, Iterable, List

from allennlp.common.checks import ConfigurationError
from allennlp.data.dataset_readers.dataset_reader import DatasetReader
from allennlp.data.fields import MetadataField
from allennlp.data.instance import Instance

from attribution.common.rows import Row, RowError
from attribution.data.dataset_readers.shards import shard_of
from attribution.data.formats import open_rows

_FIELDS = {"query_examples": "queries", "positive_examples": "positives", "negative_examples": "negatives"}


@DatasetReader.register("tuples")
class TuplesReader(DatasetReader):
    """
    Reads mined tuples for the model `bi_encoder`: rows `{"query_examples": [...], "positive_examples": [...],
    "negative_examples": [...]}` of any format that is read, named as ReCross's are (Lin et al., 2022,
    https://arxiv.org/abs/2204.07937). Each list has at least one input: a triple `[input, [references], id]`, a row
    with an `input`, or a text. An instance has the fields `queries`, `positives` and `negatives` (`MetadataField`,
    lists of texts).

    Registered as a `DatasetReader` with name "tuples".
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)

    def _read(self, file_path: str) -> Iterable[Instance]:
        found = False
        for row in open_rows(file_path).shard(*shard_of(self)):
            found = True
            yield self.text_to_instance(*(_inputs(row, field) for field in _FIELDS))
        if not found and shard_of(self) == (0, 1):
            raise ConfigurationError(f"{file_path}: has no rows")

    def text_to_instance(  # type: ignore[override]
        self, queries: List[str], positives: List[str], negatives: List[str]
    ) -> Instance:
        lists = zip(_FIELDS.values(), (queries, positives, negatives))
        return Instance({field: MetadataField(texts) for field, texts in lists})


def _inputs(row: Row, field: str) -> List[str]:
    listed = row.content.get(field)
    if not isinstance(listed, list) or not listed:
        raise RowError(row.where, f"`{field}` is not a list, or an empty one", f"; there are {sorted(row.content)}")
    texts = [_input(one) for one in listed]
    if not all(isinstance(text, str) for text in texts):
        raise RowError(row.where, f"`{field}` has something else than texts, rows and triples", f": {listed!r:.80}")
    return texts


def _input(one: Any) -> Any:
    if isinstance(one, dict):
        return one.get("input")
    return one[0] if isinstance(one, list) and len(one) == 3 else one
