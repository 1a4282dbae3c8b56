"""How people lay out rows that have a prompt and its answer: recognised by the names of their fields."""

import logging
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, Row, RowError, Rows
from attribution.data.formats import open_rows
from attribution.data.named_fields import NamedFields

logger = logging.getLogger(__name__)

PROMPTED = "prompted"
PROMPTED_FIELDS = ("input", "target", "answer_choices", "references", "task", "template", "id")
_USERS = ("user", "human")
_ASSISTANTS = ("assistant", "gpt", "model", "bot", "chatgpt")


class Layout(NamedTuple):
    """Fields that say what a row is, and what to make of it."""

    fields: Tuple[str, ...]
    """A row that has all of them is of this layout."""
    prompt: Callable[[JsonDict], JsonDict]
    """`input`, `target` and what else the row says. What has no answer has no `target`, or a null there."""


def _joined(*texts: Any) -> str:
    return "\n\n".join(text for text in texts if text)


def _present(row: JsonDict, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _p3(row: JsonDict) -> JsonDict:
    return {"input": row["inputs_pretokenized"], "target": row.get("targets_pretokenized")}


def _flan(row: JsonDict) -> JsonDict:
    return {"input": _joined(row.get("definition"), row["inputs"]), "target": row.get("targets")}


def _alpaca(row: JsonDict) -> JsonDict:
    text = _joined(row["instruction"], row.get("input") or row.get("context"))
    return {"input": text, "target": _present(row, "output", "response", "target")}


def _natural_instructions(row: JsonDict) -> JsonDict:
    outputs = _present(row, "output", "target") or []
    references = outputs if isinstance(outputs, list) else [outputs]
    text = _joined(row["definition"], row["input"])
    return {"input": text, "target": references[0] if references else None, "references": references}


def _squad(row: JsonDict) -> JsonDict:
    references = list(dict.fromkeys(row["answers"]["text"]))
    text = _joined(row["context"], row["question"])
    return {"input": text, "target": references[0] if references else None, "references": references}


def _chat(row: JsonDict) -> JsonDict:
    """What the assistant says last is the target. Of several questions and answers each is named by who says it."""
    turns = [_turn(message) for message in row.get("messages", row.get("conversations")) or []]
    target = turns.pop()[1] if turns and turns[-1][0] == "Assistant" else None
    several = sum(speaker != "System" for speaker, _ in turns) > 1
    texts = (f"{speaker}: {text}" if several and speaker != "System" else text for speaker, text in turns)
    return {"input": _joined(*texts), "target": target}


def _turn(message: JsonDict) -> Tuple[str, str]:
    role = (message.get("role") or message["from"]).lower()
    speaker = "User" if role in _USERS else "Assistant" if role in _ASSISTANTS else role.capitalize()
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content)
    return speaker, content or ""


LAYOUTS: Dict[str, Layout] = {
    "alpaca": Layout(("instruction",), _alpaca),
    "natural_instructions": Layout(("definition", "input"), _natural_instructions),
    PROMPTED: Layout(("input", "target"), dict),
    "p3": Layout(("inputs_pretokenized",), _p3),
    "messages": Layout(("messages",), _chat),
    "conversations": Layout(("conversations",), _chat),
    "squad": Layout(("context", "question", "answers"), _squad),
    "flan": Layout(("inputs",), _flan),
}
"""By name; the first that fits a row is its layout."""

KNOWN = ", ".join(f"{name} ({', '.join(layout.fields)})" for name, layout in LAYOUTS.items())
"""For messages."""


class Prompting:
    """
    Makes rows `{input, target}` of rows in one layout.

    # Parameters

    layout : `str`, optional
        Its name. Without it the first row says; what no other layout fits is prompted already.
    fields : `Dict[str, str]`, optional
        Instead: from a field's name in the file to its name in a prompted row.
    """

    def __init__(self, layout: Optional[str] = None, fields: Optional[Dict[str, str]] = None) -> None:
        if layout is not None and layout not in LAYOUTS:
            raise ConfigurationError(f"layout is {layout!r}; there are {KNOWN}")
        if layout is not None and fields:
            raise ConfigurationError("layout and fields both say where a prompt is; leave one of them out")
        wrong = sorted(set((fields or {}).values()) - set(PROMPTED_FIELDS))
        if wrong:
            raise ConfigurationError(
                f"fields maps to {wrong[0]!r}; it maps the file's names to those of a prompted row, which are "
                f"{list(PROMPTED_FIELDS)}"
            )
        self.layout = PROMPTED if fields else layout
        self._fields = {ours: theirs for theirs, ours in (fields or {}).items()}

    def named(self) -> NamedFields:
        """The file's fields that `fields` names."""
        return NamedFields("fields", self._fields.values())

    def look(self, row: Row) -> None:
        """Recognises the layout of the row, unless it is known."""
        if self.layout is None:
            found = (name for name, layout in LAYOUTS.items() if row.content.keys() >= set(layout.fields))
            self.layout = next(found, PROMPTED)
            if self.layout != PROMPTED:
                logger.warning(
                    "%s: of the layout %r, by its fields %s; `layout` or `fields` says otherwise",
                    row.where, self.layout, ", ".join(LAYOUTS[self.layout].fields),
                )  # fmt: skip

    def __call__(self, row: Row) -> Row:
        """
        # Raises

        `RowError` if the row is not of the layout.
        """
        self.look(row)
        if self._fields:
            renamed = {ours: row.content.get(theirs) for ours, theirs in self._fields.items()}
            return row._replace(content={**row.content, **renamed})
        if self.layout == PROMPTED:
            return row
        try:
            return row._replace(content={**row.content, **LAYOUTS[str(self.layout)].prompt(row.content)})
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            detail = f" ({error!r}); the row has {sorted(row.content)}"
            raise RowError(row.where, f"not of the layout {self.layout!r}", detail) from error


class PromptedRows(Rows):
    """
    The rows of another layout, as prompted ones.

    # Parameters

    rows : `Rows`
        As they are in the file.
    prompting : `Prompting`
        What makes prompted rows of them.
    """

    def __init__(self, rows: Rows, prompting: Prompting) -> None:
        super().__init__(rows.path)
        self._rows = rows
        self._prompting = prompting

    def __len__(self) -> int:
        return len(self._rows)

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        named = self._prompting.named()
        for row in self._rows.shard(index, count):
            named.look(row.content)
            yield self._prompting(row)
        if count == 1:
            named.check(str(self.path))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return map(self._prompting, self._rows.take(numbers))

    def each(self) -> Iterator[Union[Row, RowError]]:
        named = self._prompting.named()
        for row in self._rows.each():
            if isinstance(row, RowError):
                yield row
                continue
            named.look(row.content)
            try:
                yield self._prompting(row)
            except RowError as error:
                yield error
        named.check(str(self.path))

    def files(self) -> List[Path]:
        return self._rows.files()


def open_prompted_rows(
    path: Union[str, Path], layout: Optional[str] = None, fields: Optional[Dict[str, str]] = None
) -> Rows:
    """
    Opens a file of rows in any format and layout, as rows `{input, target}`. See `Prompting`.

    # Raises

    `ConfigurationError` as `open_rows` does, or if there is no such layout.
    """
    rows, prompting = open_rows(path), Prompting(layout, fields)
    first = _first(rows)
    if first is not None:
        prompting.look(first)
    return rows if prompting.layout in (None, PROMPTED) and not fields else PromptedRows(rows, prompting)


def _first(rows: Rows) -> Optional[Row]:
    try:
        return next(rows.shard(0, sys.maxsize), None)
    except RowError:
        return next((row for row in rows.each() if isinstance(row, Row)), None)
