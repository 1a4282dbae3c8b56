"""Rows as lines of JSON that any program reads."""

import json
from typing import Any, Callable, Optional

from attribution.common.rows import JsonDict, RowError


def json_line(content: JsonDict, where: str, default: Optional[Callable[[Any], Any]] = None) -> str:
    """
    Without the line's end.

    # Parameters

    where : `str`
        What the content is, for messages: `file:line` of a row.
    default : `Callable[[Any], Any]`, optional
        What to write of what JSON does not have.

    # Raises

    `RowError` if it cannot be written: JSON has no infinite numbers, and none for what is no number.
    """
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, default=default)
    except (TypeError, ValueError, RecursionError) as error:
        raise RowError(where, "cannot be written as JSON", f" ({error}); the row has {sorted(content)}") from error
