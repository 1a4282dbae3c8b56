"""Jinja templates over a row's fields, in a sandbox: a template is data, and can reach nothing but the row."""

import logging
from typing import Any, List, NamedTuple, Set

from allennlp.common.checks import ConfigurationError
from jinja2 import Template, TemplateError, meta

from attribution.common.rows import Row, RowError
from attribution.data.prompts.missing import Missing, MissingFieldError, is_none, marked
from attribution.data.prompts.sandbox import PlaceError, RowSandbox, changes_fields, written

logger = logging.getLogger(__name__)

LONGEST = 1_000_000
"""Characters that a template may write for a row, by default."""


class RowTemplate(NamedTuple):
    """A template that is ready to be filled."""

    compiled: Template
    changes_fields: bool
    """Whether it can change the lists and objects that it is given."""


def no_null(value: Any) -> Any:
    """What a template writes: none is no text."""
    if value is None:
        raise ValueError("it would write none")
    return written(value)


_STRICT = RowSandbox(undefined=Missing, keep_trailing_newline=True, finalize=no_null)
_STRICT.tests["none"] = is_none


def compile_template(source: str, setting: str, environment: RowSandbox = _STRICT) -> RowTemplate:
    """
    # Raises

    `ConfigurationError`, naming the `setting` that the template came from, if it is not valid Jinja.
    """
    try:
        parsed = environment.parse(source)
        return RowTemplate(environment.from_string(parsed), changes_fields(parsed))
    except TemplateError as error:
        raise ConfigurationError(f"{setting}: {source!r} is not valid Jinja: {error}") from error


def used_fields(template: str, environment: RowSandbox = _STRICT) -> Set[str]:
    """What the template takes from a row."""
    return meta.find_undeclared_variables(environment.parse(template)) - environment.globals.keys()


def tell_of_unknown(setting: str, used: Set[str], there: Set[str]) -> None:
    """A field that no row has is as good as misspelt, and a template may ask for it without an error."""
    for field in sorted(used - there) if there else ():
        logger.warning("%s: no row has the field %r; there are %s", setting, field, sorted(there))


def render(template: RowTemplate, setting: str, row: Row, longest: int = LONGEST, **variables: Any) -> str:
    """
    The text without white space at its ends. `variables` are known to the template beside the row's fields. Whatever
    the template does to a field is done to a copy of its own.

    # Raises

    `RowError`, naming the row and the `setting`, whatever went wrong: a template is a program of the user's. So it is
    after more than `longest` characters.
    """
    fields = {**row.content, **variables} if variables else row.content
    fields = marked(fields, template.compiled.environment.undefined, copied=template.changes_fields)
    pieces: List[str] = []
    left = longest
    try:
        for piece in template.compiled.generate(fields):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                raise ValueError(f"it writes more than {longest:,} characters, which `longest_text` allows")
        return "".join(pieces).strip()
    except MissingFieldError as error:
        present = sorted(name for name, value in row.content.items() if value is not None)
        detail = f", which `{setting}` uses; there are {present}"
        raise RowError(row.where, f"no field {error.field!r}", detail) from error
    except Exception as error:
        reason = f"`{setting}` cannot be filled"
        if isinstance(error, PlaceError):
            reason = f"`{error.fields}` gives no place in `{setting}`"
        detail = f": {error}; the row has {sorted(row.content)}"
        raise RowError(row.where, reason, detail) from error
