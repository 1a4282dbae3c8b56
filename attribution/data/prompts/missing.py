"""What a template sees of what a row does not have: a field that is null, and one that is not there, are the same."""

from functools import partial
from typing import Any, Callable, Collection, Dict

from jinja2 import StrictUndefined, Undefined, UndefinedError
from jinja2.utils import missing


class MissingFieldError(UndefinedError):
    """A template uses what the row does not have."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Missing(StrictUndefined):
    """It is false, and equal to none; whatever else is done with it is an error."""

    def __init__(self, hint: Any = None, obj: Any = missing, name: Any = None, exc: Any = UndefinedError) -> None:
        of_a_field = exc is UndefinedError and name is not None  # Not of a filter, such as `first` of an empty list.
        super().__init__(hint, obj, name, partial(MissingFieldError, name) if of_a_field else exc)  # type: ignore[arg-type]

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: Any) -> bool:  # type: ignore[override]
        return other is None or isinstance(other, Missing) or self._fail_with_undefined_error()

    def __ne__(self, other: Any) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = __repr__ = StrictUndefined.__str__  # type: ignore[assignment]


class _Inner(Undefined):
    """An empty text by itself; in the text of what it is in it would be a word that the row does not have."""

    def __repr__(self) -> str:
        raise MissingFieldError(str(self._undefined_name), f"no field {self._undefined_name!r}")


class MissingField(Undefined):
    """A field of the row is `Missing`; what is missing inside of one is an empty text, as in promptsource."""

    def __new__(cls, hint: Any = None, obj: Any = missing, name: Any = None, exc: Any = UndefinedError) -> Any:
        return Missing(hint, obj, name) if obj is missing else _Inner(hint, obj, name, exc)


def is_none(value: Any) -> bool:
    """Jinja's test `none`."""
    return value is None or isinstance(value, Missing)


def marked(fields: Dict[str, Any], undefined: Callable[..., Any], copied: bool = False) -> Dict[str, Any]:
    """
    The fields, with what a template's `undefined` makes of it in the place of each null. With `copied` no list or
    object of theirs is in it.
    """
    if not copied and not _has_null(fields.values()):
        return fields
    return {
        name: undefined(name=name) if value is None else _marked(name, value, undefined)
        for name, value in fields.items()
    }


def _has_null(values: Collection[Any]) -> bool:
    if None in values:
        return True
    for value in values:
        if isinstance(value, (dict, list, tuple)) and _has_null(value.values() if isinstance(value, dict) else value):
            return True
    return False


def _marked(name: str, value: Any, undefined: Callable[..., Any]) -> Any:
    if isinstance(value, dict):
        return {
            key: undefined(obj=value, name=key) if inner is None else _marked(f"{name}.{key}", inner, undefined)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(
            Missing(name=f"{name}[{place}]") if inner is None else _marked(f"{name}[{place}]", inner, undefined)
            for place, inner in enumerate(value)
        )
    return value
