"""Prompts as promptsource writes them: one Jinja text that gives the input and the target."""

import random
from collections import Counter
from typing import Any, List, NamedTuple, Optional, Sequence

from jinja2 import pass_context
from jinja2.runtime import Context

from attribution.common.rows import Row
from attribution.data.prompts.jinja import LONGEST, compile_template, no_null, render, used_fields
from attribution.data.prompts.missing import MissingField, is_none
from attribution.data.prompts.sandbox import RowSandbox

_WRITTEN_SEPARATOR = "|||"
_SEPARATOR = "\x02"  # Stands for the written one, which may also occur in a row's own text; it is no white space.
_GENERATOR = "random_number_generator"


class Prompt(NamedTuple):
    """One prompted example."""

    input: str
    target: str
    answer_choices: List[str]
    """The texts that the target is one of; empty for free text."""


class PromptTemplate:
    """
    A prompt in the format of promptsource (Bach et al., 2022, https://arxiv.org/abs/2202.01279): Jinja over a row's
    fields, in which `|||` stands between input and target. promptsource's `zip`, `choice` and `most_frequent` are
    known; random choices are drawn from a generator of the row's own. A place that a field gives
    (`answer_choices[label]`) must be there, as `RowSandbox` says.

    # Parameters

    name : `str`
        What the template is called.
    jinja : `str`
        The prompt. `answer_choices`, a list, is known in it beside the row's fields.
    answer_choices : `str`, optional (default = `""`)
        Jinja for the texts to choose from, with `|||` between them.
    where : `str`, optional (default = `"templates"`)
        The file or the setting that it came from, for messages.
    longest : `int`, optional (default = `1000000`)
        Characters that it may write for a row.

    # Raises

    `ConfigurationError` if it is not valid Jinja.
    """

    def __init__(
        self, name: str, jinja: str, answer_choices: str = "", where: str = "templates", longest: int = LONGEST
    ) -> None:
        self.name = name
        self._longest = longest
        self.setting = f"{where}: {name}"
        texts = [text.replace(_WRITTEN_SEPARATOR, _SEPARATOR) for text in (jinja, answer_choices)]
        self._prompt, self._choices = (compile_template(text, self.setting, _ENVIRONMENT) for text in texts)
        self._fixed = None if "{" in answer_choices else self._parts(texts[1].strip())
        self.fields = set().union(*(used_fields(text, _ENVIRONMENT) for text in texts)) - {"answer_choices"}
        """What it takes from a row."""

    def apply(self, row: Row, seed: int = 0) -> Optional[Prompt]:
        """
        The row's prompt, or None if the template gives no input, no target or an empty choice: it is not meant for this
        row.

        # Raises

        `RowError` if the row lacks a field that the template writes, or the template fails on it.
        """
        generator = random.Random(f"{seed}|{self.name}|{row.number}")
        if self._fixed is None:
            choices = self._parts(render(self._choices, self.setting, row, self._longest, **{_GENERATOR: generator}))
        else:
            choices = [*self._fixed]
        variables = {_GENERATOR: generator, "answer_choices": choices or None}
        parts = self._parts(render(self._prompt, self.setting, row, self._longest, **variables))
        return Prompt(parts[0], parts[1], choices) if len(parts) == 2 and all(parts) and all(choices) else None

    @staticmethod
    def _parts(text: str) -> List[str]:
        return [part.strip() for part in text.split(_SEPARATOR)] if text else []


@pass_context
def _choice(context: Context, items: Sequence[Any]) -> Any:
    return context[_GENERATOR].choice(items)


def _most_frequent(items: Sequence[Any]) -> List[Any]:
    """All that occur as often as the most frequent one."""
    counts = Counter(items)
    highest = max(counts.values(), default=0)
    return [item for item, count in counts.items() if count == highest]


_ENVIRONMENT = RowSandbox({"zip": zip}, undefined=MissingField, finalize=no_null)
_ENVIRONMENT.tests["none"] = is_none
_ENVIRONMENT.filters.update(choice=_choice, random=_choice, most_frequent=_most_frequent)
