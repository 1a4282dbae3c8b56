"""Jinja templates over a row's fields, in a sandbox: a template is data, and can reach nothing but the row."""

from typing import Any, Mapping

from allennlp.common.checks import ConfigurationError
from jinja2 import Environment, StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from attribution.common.rows import Row, RowError


def _no_null(value: Any) -> Any:
    if value is None:
        raise ValueError("a field is null")
    return value


_STRICT = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_no_null)


def compile_template(source: str, setting: str, environment: Environment = _STRICT) -> Template:
    """
    # Raises

    `ConfigurationError`, naming the `setting` that the template came from, if it is not valid Jinja.
    """
    try:
        return environment.from_string(source)
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
        detail = f": {error}; the row has {sorted(row.content)}"
        raise RowError(row.where, f"`{setting}` cannot be filled", detail) from error
