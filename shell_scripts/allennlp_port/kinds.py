"""
What an annotation of a constructor's argument asks of a setting, in words. `shell_scripts/port_allennlp.py` puts this
file into the wheel as `allennlp/common/kinds.py`.
"""

import json
import math
import os
import re
from collections import abc
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Dict, List, Literal, Mapping, Union, get_args, get_origin

SETTING = (type(None), bool, int, float, str, list, tuple, Mapping)
"""What a configuration can say; anything else was made by code."""

UNIONS = (Union, UnionType)
_LISTS = (list, tuple, set, frozenset, abc.Iterable, abc.Sequence, abc.Collection)
_OBJECTS = (dict, abc.Mapping, abc.MutableMapping)
_PATHS = (Path, os.PathLike)
_PLAIN: Dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    **dict.fromkeys(_PATHS, "a path"),
    **dict.fromkeys(_OBJECTS, "an object"),
}
_BOUND = 2**63
"""Integers of torch and numpy are below."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[-+]?\d+)?|true|false", re.IGNORECASE)


def needed(annotation: Any) -> str:
    """What a setting that is annotated so has to be, in words; empty if anything goes."""
    kind, parts = _kind(annotation), get_args(annotation)
    if kind in UNIONS:
        words = list(dict.fromkeys(needed(part) for part in parts if part is not type(None)))
        return " or ".join(words) if all(words) else ""
    if _is_lazy(kind):
        return needed(parts[0])
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _LISTS:
        return f"a list of {length(annotation)}" if length(annotation) else "a list"
    if hasattr(kind, "from_params"):
        return "an object, or the name of a type," if _has_types(kind) else "an object"
    return f"one of {', '.join(map(shown, _choices(annotation)))}" if _choices(annotation) else ""


def fits(annotation: Any, value: Any) -> bool:
    """Whether a value is of the annotation's kind, whatever is in it."""
    kind, parts = _kind(annotation), get_args(annotation)
    if kind in UNIONS:
        return any(fits(part, value) for part in parts)
    if _is_lazy(kind):
        return fits(parts[0], value)
    if value is None or kind is type(None):
        return value is None and (kind is type(None) or not needed(annotation))
    if kind is bool:
        return isinstance(value, int) and value in (0, 1)
    if kind is int:
        return type(value) is int and abs(value) < _BOUND
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is str or kind in _PATHS:
        return isinstance(value, str)
    if kind in _LISTS:
        return isinstance(value, (list, tuple)) and length(annotation) in (0, len(value))
    if kind in _OBJECTS:
        return isinstance(value, Mapping)
    if hasattr(kind, "from_params"):
        return isinstance(value, Mapping) or (isinstance(value, str) and _has_types(kind))
    return not _choices(annotation) or value in _choices(annotation)


def refusal(annotation: Any, value: Any) -> str:
    """The end of a message that refuses a value which does not fit."""
    asked = f"{needed(annotation)} is needed"
    if value is None:
        return f"null; leave it out, or give it a value: {asked}"
    quoted = isinstance(value, str) and _NUMBER.fullmatch(value) and fits(annotation, json.loads(value.lower()))
    return f"{shown(value)}; {asked}{', without quotes (std.parseJson makes one of a text)' if quoted else ''}"


def shown(value: Any) -> str:
    """What stands in a configuration, as one writes it there."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def length(annotation: Any) -> int:
    """How many parts a tuple has; 0 for all else, of which any number will do."""
    parts = get_args(annotation)
    return len(parts) if _kind(annotation) is tuple and ... not in parts else 0


def _kind(annotation: Any) -> Any:
    return get_origin(annotation) or annotation


def _is_lazy(kind: Any) -> bool:
    from allennlp.common.lazy import Lazy

    return kind is Lazy


def _has_types(kind: Any) -> bool:
    from allennlp.common.registrable import Registrable

    return kind in Registrable._registry


def _choices(annotation: Any) -> List[Any]:
    """All values that there are, if they can be told."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [member.value for member in annotation]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else []
