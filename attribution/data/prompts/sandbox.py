"""Jinja as rows need it: what a template takes from a row is there, or is an error."""

from collections.abc import Iterator as RunningIterator
from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Set, Tuple

from jinja2 import StrictUndefined, Undefined, UndefinedError, meta, nodes, pass_environment, pass_eval_context
from jinja2.filters import do_float, do_int, do_tojson
from jinja2.sandbox import SandboxedEnvironment, modifies_known_mutable
from jinja2.visitor import NodeTransformer

from attribution.common.rows import NoText

# Of no template: filters that subscripts become, and what a function that is called becomes.
_PLACE, _PART, _NOT_NEGATIVE, _FUNCTION = "a place", "a part", "not negative", "_function_"

_Fields = Dict[str, Any]


class PlaceError(UndefinedError):
    """What the row has under `fields` gives no place of what the template takes it from."""

    def __init__(self, fields: str, message: str) -> None:
        super().__init__(message)
        self.fields = fields


class RowSandbox(SandboxedEnvironment):
    """
    A sandbox in which `a.b` is what the row has under `b`, and never a method of `a`, unless the template calls it;
    likewise `range` is a field unless it is called. A place that a field of the row gives (`answer_choices[label]`) is
    there, or undefined and an error where it is used: negative places do not count from the end, but for those that are
    written in the template (`turns[-1]`). `| int` and `| float` of what is no number are undefined, and not 0.

    # Parameters

    functions : `Dict[str, Callable]`, optional
        For templates to call, beside Jinja's own.
    """

    def __init__(self, functions: Optional[Dict[str, Callable]] = None, **settings: Any) -> None:
        super().__init__(**{"finalize": written, **settings})
        del self.globals["lipsum"]  # Random, without a seed.
        self.globals = {_FUNCTION + name: call for name, call in {**self.globals, **(functions or {})}.items()}
        self.filters.update({_PLACE: _place, _PART: _part, _NOT_NEGATIVE: _not_negative, "attr": _attribute})
        self.filters.update(int=partial(_number, do_int), float=partial(_number, do_float), tojson=_json)
        self.policies["json.dumps_kwargs"] = {"sort_keys": True, "default": _null}

    def parse(self, source: str, name: Optional[str] = None, filename: Optional[str] = None) -> nodes.Template:
        template = _Functions(self.globals).visit(super().parse(source, name, filename))
        return _Places(_origins(template, self.globals)).visit(template)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        found = super().getitem(obj, argument)
        if isinstance(argument, str) and isinstance(found, (BuiltinMethodType, MethodType, FunctionType)):
            return StrictUndefined(f"{argument!r} is a method; write {argument}() to call it")
        return found


def changes_fields(template: nodes.Template) -> bool:
    """Whether it calls what would change a list or an object: `{{ choices.append(answer) }}`."""
    called = [call.node.attr for call in template.find_all(nodes.Call) if isinstance(call.node, nodes.Getattr)]
    return any(modifies_known_mutable([], name) or modifies_known_mutable({}, name) for name in called)


def written(value: Any) -> Any:
    """
    What a template writes.

    # Raises

    `ValueError` if it has no text of its own, but its place in memory.
    """
    if isinstance(value, RunningIterator) or (callable(value) and not isinstance(value, Undefined)):
        raise ValueError(f"a {type(value).__name__} is no text; `| list` or `| join` writes what it gives")
    if isinstance(value, (dict, list)):
        _check_parts(value)
    return value


def _check_parts(value: Any) -> None:
    """What is written whole has no bytes in it."""
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(part, NoText):
            str(part)
        _check_parts(part)


class _Functions(NodeTransformer):
    """Sets the names of functions apart from those of fields."""

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self._functions = functions

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        if isinstance(node.node, nodes.Name) and _FUNCTION + node.node.name in self._functions:
            node.node.name = _FUNCTION + node.node.name
        return node


class _Places(NodeTransformer):
    """Rewrites attributes as subscripts, and subscripts that depend on the row as filters that look."""

    def __init__(self, origins: Dict[str, Set[str]]) -> None:
        self._origins = origins

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        self.generic_visit(node)
        return nodes.Getitem(node.node, nodes.Const(node.attr), "load", lineno=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        called = node.node
        self.generic_visit(node)
        if isinstance(called, nodes.Getattr):
            node.node = called
            if called.attr == "pop" and node.args and self._fields(node.args[0]):
                node.args[0] = _filter(node.args[0], _NOT_NEGATIVE, self._fields(node.args[0]))
        return node

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:
        self.generic_visit(node)
        for setting in node.kwargs:
            if setting.key == "attribute" and self._fields(setting.value):  # `pairs | map(attribute=label)`
                setting.value = _filter(setting.value, _NOT_NEGATIVE, self._fields(setting.value))
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        return self._subscript(node.node, node.arg, node)

    def _subscript(self, items: nodes.Expr, place: nodes.Expr, node: nodes.Getitem) -> nodes.Expr:
        if isinstance(place, nodes.CondExpr):  # One of the two may be written in the template.
            first, second = (
                None if one is None else self._subscript(items, one, node) for one in (place.expr1, place.expr2)
            )
            return nodes.CondExpr(place.test, first, second, lineno=node.lineno)
        fields = self._fields(place)
        if not fields:
            return nodes.Getitem(items, place, "load", lineno=node.lineno)
        if not isinstance(place, nodes.Slice):
            return _filter(items, _PLACE, fields, place)
        bounds = [bound or nodes.Const(None) for bound in (place.start, place.stop, place.step)]
        whose = nodes.Const(tuple(bool(self._fields(bound)) for bound in bounds[:2]))
        return _filter(items, _PART, fields, *bounds, whose)

    def _fields(self, expression: nodes.Expr) -> Set[str]:
        """The row's fields that it depends on."""
        return set().union(*(self._origins.get(name, ()) for name in _names(expression)))


def _filter(value: nodes.Expr, name: str, fields: Iterable[str], *arguments: nodes.Expr) -> nodes.Filter:
    pairs = [nodes.Pair(nodes.Const(field), nodes.Name(field, "load")) for field in sorted(fields)]
    return nodes.Filter(value, name, [nodes.Dict(pairs), *arguments], [], None, None, lineno=value.lineno)


def _origins(template: nodes.Template, functions: Iterable[str]) -> Dict[str, Set[str]]:
    """Of each name in the template that depends on the row, the fields that it may depend on."""
    origins = {name: {name} for name in meta.find_undeclared_variables(template) - set(functions)}
    flows = list(_flows(template))
    while True:
        before = sum(map(len, origins.values()))
        for targets, sources in flows:
            of_sources = set().union(*(origins.get(source, ()) for source in sources))
            for target in targets if of_sources else ():
                origins[target] = origins.get(target, set()) | of_sources
        if sum(map(len, origins.values())) == before:
            return origins


def _flows(template: nodes.Template) -> Iterator[Tuple[Set[str], Set[str]]]:
    """Names, and those that their values are made of."""
    for assign in template.find_all(nodes.Assign):
        yield _names(assign.target), _names(assign.node)
    for block in template.find_all(nodes.AssignBlock):
        yield _names(block.target), _names(*block.body)
    for loop in template.find_all(nodes.For):
        yield _names(loop.target), _names(loop.iter)
    for scope in template.find_all(nodes.With):
        yield from ((_names(target), _names(value)) for target, value in zip(scope.targets, scope.values))
    parameters: Set[str] = set()
    for macro in template.find_all(nodes.Macro):
        parameters |= _names(*macro.args)
        yield {macro.name}, _names(*macro.body)
        yield _names(*macro.args), _names(*macro.defaults)
    for caller in template.find_all(nodes.CallBlock):
        parameters |= _names(*caller.args)
    for call in template.find_all(nodes.Call):
        # A method may change what it is called on: `found.append(label)`.
        changed = _names(call.node.node) if isinstance(call.node, nodes.Getattr) else parameters
        yield changed, _names(*call.args, *call.kwargs)


def _names(*expressions: nodes.Node) -> Set[str]:
    kinds = (nodes.Name, nodes.NSRef)
    return {node.name for one in expressions for node in (one, *one.find_all(kinds)) if isinstance(node, kinds)}


@pass_environment
def _place(environment: RowSandbox, items: Any, fields: _Fields, place: Any) -> Any:
    """`items[place]`, where there is such a place."""
    if isinstance(items, Undefined):
        return environment.getitem(items, place)
    if place in items if isinstance(items, Mapping) else _is_place(place, items):
        return environment.getitem(items, place)
    if isinstance(items, Mapping):
        places = f"{list(items)!r:.80}"
    else:
        places = _up_to(len(items) - 1) if isinstance(items, Sequence) else f"none in {items!r:.80}"
    exception = partial(PlaceError, " and ".join(fields))
    return StrictUndefined(_message(fields, place, places), exc=exception)  # type: ignore[arg-type]


def _part(items: Any, fields: _Fields, start: Any, stop: Any, step: Any, whose: Tuple[bool, bool]) -> Any:
    """`items[start:stop:step]`; as in Python it may stop beyond the end. `whose` says which bounds are the row's."""
    for bound, of_row, last in ((start, whose[0], len(items)), (stop, whose[1], inf)):
        if of_row and not (isinstance(bound, int) and 0 <= bound <= last):
            raise PlaceError(" and ".join(fields), _message(fields, bound, _up_to(len(items))))
    return items[start:stop:step]


def _not_negative(place: Any, fields: _Fields) -> Any:
    if isinstance(place, int) and place < 0:
        raise PlaceError(" and ".join(fields), _message(fields, place, "those from 0 on"))
    return place


def _is_place(place: Any, items: Any) -> bool:
    return isinstance(items, Sequence) and isinstance(place, int) and 0 <= place < len(items)


def _up_to(last: int) -> str:
    return f"0 to {last}" if last >= 0 else "none"


def _message(fields: _Fields, place: Any, places: str) -> str:
    said = " and ".join(f"{name!r} is {value!r:.60}" for name, value in fields.items())
    shown = "undefined" if isinstance(place, Undefined) else f"{place!r:.60}"
    computed = "" if any(place is value for value in fields.values()) else f", so that the place is {shown}"
    is_number = isinstance(place, (str, float)) and do_int(place, None) is not None  # type: ignore[arg-type]
    hint = "; `| int` makes a whole number of it" if is_number else ""
    return f"{said}{computed}; the places are {places}{hint}"


@pass_environment
def _attribute(environment: RowSandbox, obj: Any, name: str) -> Any:
    return environment.getitem(obj, name)


@pass_eval_context
def _json(context: nodes.EvalContext, value: Any, indent: Optional[int] = None) -> str:
    """As Jinja's `tojson`: what is null inside of the value is so in the text."""
    return str(value) if isinstance(value, Undefined) else do_tojson(context, value, indent)


def _null(value: Any) -> None:
    if not isinstance(value, Undefined):
        raise TypeError(f"a {type(value).__name__} is no JSON")


def _number(convert: Callable[..., Any], value: Any, *arguments: Any, **named: Any) -> Any:
    """As Jinja's `int` and `float`, but without a default where none is written."""
    default = {} if arguments or "default" in named else {"default": None}
    number = convert(value, *arguments, **named, **default)
    return StrictUndefined(f"{value!r:.60} is no number") if number is None else number
