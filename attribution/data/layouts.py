"""How people lay out rows that have a prompt and its answer: recognised by the names of their fields."""

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from allennlp.common.checks import ConfigurationError

from attribution.common.rows import JsonDict, Row, RowError, Rows, text_of
from attribution.data.formats import open_rows
from attribution.data.named_fields import NamedFields

logger = logging.getLogger(__name__)

PROMPTED = "prompted"
GYM = "few_shot_gym"
PROMPTED_FIELDS = ("input", "target", "answer_choices", "references", "task", "template", "id")
NO_TEXTS = "is not a list of texts, or one of them is empty"
"""What to say of what `are_texts` refuses."""

_SYSTEM = ("system", "system_prompt")
_SAID = ("role", "from", "content", "value")
_USERS = ("user", "human")
_ASSISTANTS = ("assistant", "gpt", "model", "bot", "chatgpt")

_Turn = Tuple[str, str]
"""Who speaks, and the text."""


class Layout(NamedTuple):
    """Fields that say what a row is, and what to make of it."""

    fields: Tuple[str, ...]
    """A row that has all of them is of this layout."""
    prompt: Callable[[JsonDict], JsonDict]
    """`input`, `target` and what else the row says. What has no answer has no `target`, or a null there."""
    others: Tuple[str, ...] = ()
    """What else it has, if not in every row. Any other field is not read."""


def _text(value: Any) -> str:
    text = "" if value is None else text_of(value)
    if text is None:
        raise TypeError(f"{value!r:.80} is no text")
    return text


def _joined(*texts: Any) -> str:
    return "\n\n".join(filter(None, map(_text, texts)))


def _present(row: JsonDict, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _p3(row: JsonDict) -> JsonDict:
    return {"input": row["inputs_pretokenized"], "target": row.get("targets_pretokenized")}


def _flan(row: JsonDict) -> JsonDict:
    return {"input": _joined(row.get("definition"), row["inputs"]), "target": row.get("targets")}


def _alpaca(row: JsonDict) -> JsonDict:
    """With `system` and `history`, pairs of what was said before, as LLaMA-Factory's."""
    turns: List[_Turn] = []
    for question, answer in row.get("history") or ():
        turns += [("User", _text(question)), ("Assistant", _text(answer))]
    turns.append(("User", _joined(row["instruction"], _text(row.get("input")) or row.get("context"))))
    return {"input": _dialogue(row, turns), "target": _present(row, "output", "response", "target")}


def _natural_instructions(row: JsonDict) -> JsonDict:
    outputs = _present(row, "output", "target")
    references = outputs if isinstance(outputs, list) else [] if outputs is None else [outputs]
    text = _joined(row["definition"], row["input"])
    return {"input": text, "target": references[0] if references else None, "references": references}


def _squad(row: JsonDict) -> JsonDict:
    references = list(dict.fromkeys(row["answers"]["text"]))
    text = _joined(row["context"], row["question"])
    return {"input": text, "target": references[0] if references else None, "references": references}


def _chat(row: JsonDict) -> JsonDict:
    """What the assistant says last is the target."""
    turns = [_turn(message) for message in _present(row, "messages", "conversations") or ()]
    target = turns.pop()[1] if turns and turns[-1][0] == "Assistant" else None
    return {"input": _dialogue(row, turns), "target": target}


def _beside_texts(row: JsonDict) -> Set[str]:
    """What messages have beside who says what: calls of tools, say."""
    name = "messages" if row.get("messages") is not None else "conversations"
    messages = row.get(name)
    return {
        f"{name}.{field}"
        for message in (messages if isinstance(messages, list) else ())
        for field in (message if isinstance(message, dict) else ())
        if field not in _SAID and message[field] is not None
    }


def _turn(message: JsonDict) -> _Turn:
    role = (message.get("role") or message["from"]).lower()
    speaker = "User" if role in _USERS else "Assistant" if role in _ASSISTANTS else role.capitalize()
    content = message.get("content", message.get("value"))
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content)
    return speaker, _text(content)


def _dialogue(row: JsonDict, turns: List[_Turn]) -> str:
    """A field for the system stands first, as its turn would. Of several other turns each is named by who speaks."""
    system = _text(_present(row, *_SYSTEM))
    first = [("System", system)] if ("System", system) not in turns else []
    several = sum(speaker != "System" for speaker, _ in turns) > 1
    return _joined(
        *(f"{speaker}: {text}" if several and speaker != "System" else text for speaker, text in first + turns)
    )


LAYOUTS: Dict[str, Layout] = {
    "alpaca": Layout(
        ("instruction",), _alpaca, ("input", "context", "output", "response", "target", "history", *_SYSTEM)
    ),
    "natural_instructions": Layout(("definition", "input"), _natural_instructions, ("output", "target")),
    PROMPTED: Layout(("input", "target"), dict),
    GYM: Layout(("input", "target"), dict),  # As `gym` has them read.
    "p3": Layout(("inputs_pretokenized",), _p3, ("targets_pretokenized", "inputs", "targets")),
    "messages": Layout(("messages",), _chat, _SYSTEM),
    "conversations": Layout(("conversations",), _chat, _SYSTEM),
    "squad": Layout(("context", "question", "answers"), _squad),
    "flan": Layout(("inputs",), _flan, ("targets", "definition")),
}
"""By name; the first that fits a row is its layout."""

KNOWN = ", ".join(f"{name} ({', '.join(layout.fields)})" for name, layout in LAYOUTS.items())
"""For messages."""

_READ = {name: {*layout.fields, *layout.others, *PROMPTED_FIELDS} for name, layout in LAYOUTS.items()}


@lru_cache(maxsize=1024)
def _fitting(fields: Tuple[str, ...]) -> Optional[str]:
    return next((name for name, layout in LAYOUTS.items() if set(layout.fields) <= set(fields)), None)


def _recognised(row: JsonDict) -> str:
    """A field that is null says what a row is only where no other does. What nothing fits is prompted already."""
    fields = tuple(row)
    if None in row.values():
        return _fitting(tuple(name for name in row if row[name] is not None)) or _fitting(fields) or PROMPTED
    return _fitting(fields) or PROMPTED


class Prompting:
    """
    Makes rows `{input, target}` of rows in one layout or several, whose texts are texts: a number there is its digits.
    A target that is a whole number is the place of a choice, where the row has choices.

    # Parameters

    layout : `str`, optional
        Its name. Without it each row is of the first layout whose fields it has, which the log says once, together with
        the fields that are then not read; what no layout fits is prompted already.
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
        self._layout = PROMPTED if fields or layout == GYM else layout
        self.gym = layout == GYM if layout or fields else None
        """Whether files of rows are the Few-shot Gym's; None where their names say so."""
        self._fields = {ours: theirs for theirs, ours in (fields or {}).items()}
        self._told: Set[str] = set()

    def named(self) -> NamedFields:
        """The file's fields that `fields` names."""
        return NamedFields("fields", self._fields.values())

    def __call__(self, row: Row) -> Row:
        """
        # Raises

        `RowError` if the row is not of the layout, or its target may be one choice or another.
        """
        layout = self._layout or _recognised(row.content)
        if self._fields:
            renamed = {ours: row.content.get(theirs) for ours, theirs in self._fields.items()}
            row = row._replace(content={**row.content, **renamed})
        elif layout != PROMPTED:
            self._tell(row, layout)
            try:
                row = row._replace(content={**row.content, **LAYOUTS[layout].prompt(row.content)})
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                detail = f" ({error!r}); the row has {sorted(row.content)}"
                raise RowError(row.where, f"not of the layout {layout!r}", detail) from error
        return _with_texts(row)

    def _tell(self, row: Row, layout: str) -> None:
        """Once of each layout, and of each field that it does not read."""
        fields = {field for field in row.content.keys() - _READ[layout] if row.content[field] is not None}
        if LAYOUTS[layout].prompt is _chat:
            fields |= _beside_texts(row.content)
        unread = sorted(field for field in fields if f"{layout}.{field}" not in self._told)
        if layout in self._told and not unread:
            return
        self._told |= {layout, *(f"{layout}.{field}" for field in unread)}
        logger.warning(
            "%s: of the layout %r, by its fields %s%s; `layout` or `fields` says otherwise",
            row.where, layout, ", ".join(LAYOUTS[layout].fields),
            f"; not read are {', '.join(unread)}" if unread else "",
        )  # fmt: skip


def _with_texts(row: Row) -> Row:
    content = row.content
    texts: JsonDict = {}
    for name in ("answer_choices", "options", "references"):
        values = content.get(name)
        if isinstance(values, list) and not all(isinstance(value, str) for value in values):
            texts[name] = [value if text_of(value) is None else text_of(value) for value in values]
    for name in ("input", "target"):
        value = content.get(name)
        if not isinstance(value, str) and text_of(value) is not None:
            texts[name] = text_of(value)
    if not texts:
        return row
    name = "answer_choices" if content.get("answer_choices") else "options"
    if "target" in texts and content.get(name):
        texts["target"] = _chosen(row, texts.get(name, content[name]))
    return row._replace(content={**content, **texts})


def _chosen(row: Row, choices: Any) -> Any:
    """The choice that a number says; the number if it says none."""
    target = row.content["target"]
    written = text_of(target)
    if not isinstance(choices, list):
        return target
    choices = [choice.strip() if isinstance(choice, str) else choice for choice in choices]
    if type(target) is int and 0 <= target < len(choices):
        if written in choices and choices[target] != written:
            detail = f", of {choices}; write the option's text"
            raise RowError(row.where, f"`target` {target} is the place of one option, the text of another", detail)
        return choices[target]
    return written if written in choices else target


def are_texts(values: Any) -> bool:
    """Whether it is a list of texts with something in each, as choices are."""
    return isinstance(values, list) and all(isinstance(value, str) and value.strip() for value in values)


class NamedRows(Rows):
    """
    The rows of a file as they are. Who has read all of them is told of a field that `fields` names and none has.

    # Parameters

    rows : `Rows`
    prompting : `Prompting`
        What knows which fields are named.
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
            yield row
        if count == 1:
            named.check(str(self.path))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return self._rows.take(numbers)

    def each(self) -> Iterator[Union[Row, RowError]]:
        named = self._prompting.named()
        for row in self._rows.each():
            if not isinstance(row, RowError):
                named.look(row.content)
            yield row
        named.check(str(self.path))

    def files(self) -> List[Path]:
        return self._rows.files()


class PromptedRows(NamedRows):
    """The rows of another layout, as prompted ones."""

    def shard(self, index: int = 0, count: int = 1) -> Iterator[Row]:
        return map(self._prompting, super().shard(index, count))

    def take(self, numbers: Sequence[int]) -> Iterator[Row]:
        return map(self._prompting, super().take(numbers))

    def each(self) -> Iterator[Union[Row, RowError]]:
        for row in super().each():
            try:
                yield row if isinstance(row, RowError) else self._prompting(row)
            except RowError as error:
                yield error


def open_prompted_rows(
    path: Union[str, Path], layout: Optional[str] = None, fields: Optional[Dict[str, str]] = None
) -> Rows:
    """
    Opens a file of rows in any format and layout, as rows `{input, target}`. See `Prompting`.

    # Raises

    `ConfigurationError` as `open_rows` does, or if there is no such layout.
    """
    prompting = Prompting(layout, fields)
    return PromptedRows(open_rows(path, prompting.gym), prompting)
