"""Jinja templates over a row's fields, in a sandbox: a template is data, and can reach nothing but the row."""

from typing import Any, Mapping

from allennlp.common.checks import ConfigurationError
from jinja2 import StrictUndefined, Template, TemplateError

from attribution.common.rows import Row, RowError
from attribution.data.prompts.sandbox import PlaceError, RowSandbox, written


def _no_null(value: Any) -> Any:
    if value is None:
        raise ValueError("a field is null")
    return written(value)


_STRICT = RowSandbox(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_no_null)


def compile_template(source: str, setting: str, environment: RowSandbox = _STRICT) -> Template:
    """
    # Raises

    `ConfigurationError`, naming the `setting` that the template came from, if it is not valid Jinja.
    """
    try:
        return environment.from_string(environment.parse(source))
    except TemplateError as error:
        raise ConfigurationError(f"{setting}: {source!r} is not valid Jinja: {error}") from error


def render(template: Template, setting: str, row: Row, **variables: Any) -> str:
    """
    The text without white space at its ends. `variables` are known to the template beside the row's fields.

    # Raises

    `RowError`, naming the row and the `setting`, whatever went wrong: a template is a program of the user's.
    """
    fields: Mapping[str, Any] = {**row.content, **variables}
    try:
        return template.render(fields).strip()
    except Exception as error:
        reason = f"`{setting}` cannot be filled"
        if isinstance(error, PlaceError):
            reason = f"`{error.fields}` gives no place in `{setting}`"
        detail = f": {error}; the row has {sorted(row.content)}"
        raise RowError(row.where, reason, detail) from error
