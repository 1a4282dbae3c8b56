"""What a pool of prompted rows is composed of."""

from abc import abstractmethod
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Union

from allennlp.common import Registrable
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, Row, RowError, label_of
from attribution.data.layouts import NO_TEXTS, Prompting, are_texts
from attribution.data.named_fields import NamedFields
from attribution.data.wrong_answers import NOT_CORRECT, is_wrong_answer

TEXTS = ("input", "target")
LABELS = ("task", "template", "id")
POOL_FIELDS = ("input", "target", "answer_choices", *LABELS)


class PoolRow(NamedTuple):
    """A row as the pool will have it."""

    content: JsonDict
    """`input`, `target`, `task`, `template`, `id`; `answer_choices` where there are any; what `keep` names."""
    where: str
    """`file:line` that it came from, for messages."""


class Skipped(NamedTuple):
    """A row that was never meant to become one of the pool's."""

    reason: str


class PoolSource(Registrable):
    """
    Base of every source of a pool. It owns the loop and says what a pool row is; a subclass reads rows, in `read`.

    # Parameters

    name : `str`
        What the source is called where it has to be named.
    task : `str`, optional
        The task of all rows. Without it, the rows' own `task`, and `name` for those without one.
    template : `str`, optional
        The same for the wording of the prompt; rows without one have the empty text.
    split : `str`, optional (default = `"train"`)
        Part of the made-up `id` of rows without one: `task|split|template|#number`.
    fields : `Dict[str, str]`, optional
        From a field's name in the source to its name in the pool (`{inputs_pretokenized: 'input'}`).
    keep : `List[str]`, optional
        Fields of the source that go into the pool beside the pool's own; one that no row has is logged.
    layout : `str`, optional
        What the rows look like, one of `attribution.data.layouts.LAYOUTS`. Without it and `fields` each row says.
    """

    def __init__(
        self,
        name: str,
        task: Optional[str] = None,
        template: Optional[str] = None,
        split: str = "train",
        fields: Optional[Dict[str, str]] = None,
        keep: Optional[List[str]] = None,
        layout: Optional[str] = None,
    ) -> None:
        wrong = sorted(set((fields or {}).values()) - set(POOL_FIELDS))
        if wrong:
            raise ConfigurationError(
                f"fields maps to {wrong[0]!r}; it maps the source's names to the pool's, which are {list(POOL_FIELDS)}"
            )
        self.name = name
        self.task = task
        self.template = template
        self.split = split
        self.keep = keep or []
        self.layout = layout
        self.fields = fields
        self.prompting = Prompting(layout, fields)

    @abstractmethod
    def read(self) -> Iterator[Union[Row, RowError]]:
        """The source's rows in a fixed order, numbered; in the place of one that cannot be read, the error."""

    @abstractmethod
    def inputs(self) -> List[Path]:
        """The local files that the rows come from."""

    def total(self) -> Optional[int]:
        """How many rows there are, where that is known without reading them: for a progress bar."""
        return None

    def rows(self) -> Iterator[Union[PoolRow, Skipped, RowError]]:
        """
        What becomes of each row, in order.

        # Raises

        `ConfigurationError` if `fields` names a field that no row has.
        """
        fields, keep = self.prompting.named(), NamedFields("keep", self.keep)
        for row in self.read():
            if isinstance(row, RowError):
                yield row
            else:
                fields.look(row.content)
                keep.look(row.content)
                yield from self.prompts(row)
        fields.check(f"source {self.name}")
        keep.tell(f"source {self.name}")

    def prompts(self, row: Row) -> Iterator[Union[PoolRow, Skipped, RowError]]:
        """What becomes of one row: by default it is a prompted one already, and left out if its target is wrong."""
        if is_wrong_answer(row.content):
            yield Skipped(NOT_CORRECT)
            return
        try:
            row = self.prompting(row)
            yield self.pool_row(row, {field: row.content.get(field) for field in POOL_FIELDS})
        except RowError as error:
            yield error

    def pool_row(self, row: Row, content: JsonDict) -> PoolRow:
        """
        Checks `content`, and gives it a task, a template and an id where it has none.

        # Raises

        `RowError` if it has no input or no target, or a field is of another kind than it should be.
        """
        for field in TEXTS:
            value = content[field]
            if not isinstance(value, str) or not value.strip():
                present = sorted(name for name, value in row.content.items() if value is not None)
                detail = f"; the row has {present}. `fields` says what a field stands for"
                raise RowError(row.where, _fault(field, value), detail)
        choices = content.get("answer_choices")
        if choices and not are_texts(choices):
            raise RowError(row.where, f"`answer_choices` {NO_TEXTS}", f": {choices!r:.80}")
        labelled = row._replace(content=content)
        task = self.task or label_of(labelled, "task") or self.name
        template = self.template or label_of(labelled, "template")
        return PoolRow(
            {
                "input": content["input"],
                "target": content["target"],
                **({"answer_choices": choices} if choices else {}),
                "task": task,
                "template": template,
                "id": label_of(labelled, "id") or f"{task}|{self.split}|{template}|#{row.number}",
                **{field: row.content[field] for field in self.keep if field in row.content},
            },
            row.where,
        )


def _fault(field: str, value: Any) -> str:
    if value is None:
        return f"`{field}` is missing"
    return f"`{field}` is empty" if isinstance(value, str) else f"`{field}` is not a text"
