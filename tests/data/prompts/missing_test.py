import json
from typing import Any, Dict, Optional

import pytest

from attribution.common.rows import Row, RowError, json_row
from attribution.data.prompts import PromptTemplate, compile_template, render

MISSING: Dict[str, Dict[str, Any]] = {"null": {"hint": None}, "NaN": {"hint": float("nan")}, "absent": {}}


def _plain(source: str, fields: Dict[str, Any]) -> str:
    row = json_row(0, json.dumps(fields).encode(), "raw.jsonl:1")
    return render(compile_template(source, "template"), "template", row)


def _promptsource(source: str, fields: Dict[str, Any]) -> Optional[str]:
    prompt = PromptTemplate("t", f"{source} ||| x").apply(json_row(0, json.dumps(fields).encode(), "raw.jsonl:1"))
    return None if prompt is None else prompt.input


RENDERERS = pytest.mark.parametrize("render_text", [_plain, _promptsource])


@RENDERERS
@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize(
    "source, text",
    [
        ("{% if hint %}{{hint}}{% else %}no hint{% endif %}", "no hint"),
        ("{{ 'no hint' if not hint else hint }}", "no hint"),
        ("{% if hint is none %}no hint{% endif %}", "no hint"),
        ("{% if hint is defined %}{{hint}}{% else %}no hint{% endif %}", "no hint"),
        ("{% if hint == none or hint in [none, ''] %}no hint{% endif %}", "no hint"),
        ("{% if hint != none %}{{hint}}{% endif %}no hint", "no hint"),
        ("{{ hint or 'no hint' }}", "no hint"),
        ("{{ hint | default('no hint') }}", "no hint"),
    ],
)
def test_templates_may_ask_for_it(render_text: Any, kind: str, source: str, text: str) -> None:
    assert render_text(source, {"a": "b", **MISSING[kind]}) == text


@RENDERERS
@pytest.mark.parametrize("kind", MISSING)
@pytest.mark.parametrize(
    "source",
    [
        "{{hint}}",
        "{{hint.text}}",
        "{{hint[0]}}",
        "{{ 'a ' ~ hint }}",
        "{{ [a, hint] | join(', ') }}",
        "{{ [a, hint] }}",
        "{{ hint | upper }}",
        "{{ '%s' | format(hint) }}",
        "{{ hint + 1 }}",
        "{% for word in hint %}{{word}}{% endfor %}",
        "{% if hint == 'b' %}yes{% else %}no{% endif %}",
        "{{ {'b': 'yes'}[hint] }}",
    ],
)
def test_whatever_else_is_done_with_it_names_the_field(render_text: Any, kind: str, source: str) -> None:
    with pytest.raises(RowError, match=r"raw\.jsonl:1: no field 'hint', which `.*` uses; there are \['a'\]") as caught:
        render_text(source, {"a": "b", **MISSING[kind]})
    assert caught.value.reason == "no field 'hint'"


@RENDERERS
def test_what_is_missing_in_a_list_or_a_field(render_text: Any) -> None:
    fields = {"options": ["b", None], "answers": {"text": None}}
    for source in ("{{ options | join(', ') }}", "{{ options }}", "{{ options[1] }}"):
        with pytest.raises(RowError, match=r"no field 'options\[1\]'"):
            render_text(source, fields)
    assert render_text("{{ options | select | join(', ') }}", fields) == "b"
    assert render_text("{% if not answers.text %}none{% endif %}", fields) == "none"


def test_what_is_missing_inside_of_a_field_is_empty_in_promptsource_and_an_error_elsewhere() -> None:
    for answers in ({"text": None}, {}):
        assert _promptsource("{{answers.text}}", {"answers": answers}) is None
        with pytest.raises(RowError, match="no field 'text'"):
            _plain("{{answers.text}}", {"answers": answers})


@RENDERERS
def test_none_is_never_written(render_text: Any) -> None:
    with pytest.raises(RowError, match="it would write none"):
        render_text("{{ answers.get('b') }}", {"answers": {"a": "1"}})


def test_it_is_no_place() -> None:
    with pytest.raises(RowError, match="no field 'label'"):
        _plain("{{ ['no', 'yes'][label] }}", {"label": None})


@pytest.mark.parametrize("source", ["{{q}}", "{{l}}", "{{q.copy()}}"])
def test_a_field_with_a_null_inside_is_not_written_whole(source: str) -> None:
    row = Row(1, {"q": {"a": "x", "b": None}, "l": [{"c": None}]}, "rows.jsonl:1")
    with pytest.raises(RowError, match="rows.jsonl:1: no field '[bc]'"):
        PromptTemplate("say", f"{source} ||| x").apply(row)
    assert PromptTemplate("say", "{{q.a}}{{q.b}} ||| x").apply(row)
