"""What prints as what it holds."""

from allennlp.data.fields.field import DataArray, Field


class ReadableField(Field[DataArray]):
    """Base of all fields: `allennlp predict --use-dataset-reader` prints instances."""

    __slots__ = []  # type: ignore[var-annotated]

    def __str__(self) -> str:
        return str(self.human_readable_repr())
