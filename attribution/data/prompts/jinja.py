"""Jinja templates over a row's fields, in a sandbox: a template is data, and can reach nothing but the row."""

import logging
from typing import Any, Set

from allennlp.common.checks import ConfigurationError
from jinja2 import Template, TemplateError, meta

from attribution.common.rows import Row, RowError
from attribution.data.prompts.missing import Missing, MissingFieldError, is_none, marked
from attribution.data.prompts.sandbox import PlaceError, RowSandbox, written

logger = logging.getLogger(__name__)


def no_null(value: Any) -> Any:
    """What a template writes: none is no text."""
    if value is None:
        raise ValueError("it would write none")
    return written(value)


_STRICT = RowSandbox(undefined=Missing, keep_trailing_newline=True, finalize=no_null)
_STRICT.tests["none"] = is_none


def compile_template(source: str, setting: str, environment: RowSandbox = _STRICT) -> Template:
    """
    # Raises

    `ConfigurationError`, naming the `setting` that the template came from, if it is not valid Jinja.
    """
    try:
        return environment.from_string(environment.parse(source))
    except TemplateError as error:
        raise ConfigurationError(f"{setting}: {source!r} is not valid Jinja: {error}") from error


def used_fields(template: str, environment: RowSandbox = _STRICT) -> Set[str]:
    """What the template takes from a row."""
    return meta.find_undeclared_variables(environment.parse(template)) - environment.globals.keys()


def tell_of_unknown(setting: str, used: Set[str], there: Set[str]) -> None:
    """A field that no row has is as good as misspelt, and a template may ask for it without an error."""
    for field in sorted(used - there) if there else ():
        logger.warning("%s: no row has the field %r; there are %s", setting, field, sorted(there))


def render(template: Template, setting: str, row: Row, **variables: Any) -> str:
    """
    The text without white space at its ends. `variables` are known to the template beside the row's fields.

    # Raises

    `RowError`, naming the row and the `setting`, whatever went wrong: a template is a program of the user's.
    """
    fields = marked({**row.content, **variables} if variables else row.content, template.environment.undefined)
    try:
        return template.render(fields).strip()
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
