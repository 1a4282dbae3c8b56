from typing import Any, Dict, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.common.rows import Row, RowError
from attribution.data.prompts import Prompt, PromptTemplate, compile_template, render

NAN = float("nan")


def _target(template: str, choices: str = "bad ||| good", **fields: Any) -> Optional[str]:
    prompt = PromptTemplate("say", "Which? ||| " + template, choices).apply(Row(2, fields, "raw.jsonl:3"))
    return None if prompt is None else prompt.target


@pytest.mark.parametrize("label", [-1, -2, 2, 5, 1.0, "1", "-1", "good", "", NAN, [1], {"a": 1}])
@pytest.mark.parametrize(
    "template",
    [
        "{{answer_choices[label]}}",
        "{{['no', 'yes'][label]}}",
        "{{[label, 'x'][1]}} {{words[label]}}",
        "{{'ny'[label]}}",
        "{{options.texts[label]}}",
        "{% set place = label %}{{words[place]}}",
        "{% set chosen = words[label] %}{{chosen}}",
        "{% set ns = namespace(place=0) %}{% set ns.place = label %}{{words[ns.place]}}",
        "{% set places = [] %}{{places.append(label) or ''}}{{words[places[0]]}}",
        "{% for place in [label] %}{{words[place]}}{% endfor %}",
        "{% with place = label %}{{words[place]}}{% endwith %}",
        "{% macro pick(place) %}{{words[place]}}{% endmacro %}{{pick(label)}}",
        "{{words[label if words else -1]}}",
        "{% set label = label %}{{words[label]}}",
        "{% set found = {} %}{% set _ = found.update({'place': label}) %}{{words[found.place]}}",
        "{{(words | list)[label]}}",
        "{{words[label] | upper}}",
        "{{words[label] ~ '!'}}",
        "{% if words[label] %}x{% endif %}",
    ],
)
def test_a_place_that_a_field_gives_is_there(template: str, label: Any) -> None:
    fields = {"words": ["no", "yes"], "options": {"texts": ["no", "yes"]}}
    with pytest.raises(
        RowError, match=r"raw\.jsonl:3: `label` gives no place in `templates: say`: 'label' is "
    ) as error:
        _target(template, label=label, **fields)
    assert "; the places are 0 to 1" in str(error.value)
    with pytest.raises(RowError, match=r"raw\.jsonl:3: no field 'label', which `templates: say` uses"):
        _target(template, label=None, **fields)
    assert _target(template, label=1, **fields)
    assert _target(template, label=False, **fields)


@given(
    label=st.one_of(st.integers(-4, 4), st.floats(), st.text(), st.none(), st.booleans()),
    words=st.lists(st.text("abc", min_size=1), max_size=4),
)
def test_only_its_own_place_is_taken(label: Any, words: Any) -> None:
    there = isinstance(label, int) and 0 <= label < len(words)
    try:
        assert _target("{{words[label]}}", label=label, words=words) == words[label] and there
    except RowError:
        assert not there


@pytest.mark.parametrize(
    "template, message",
    [
        ("{{answer_choices[label - 1]}}", "'label' is 0, so that the place is -1; the places are 0 to 1"),
        ("{{answer_choices[other.label]}}", "`other` gives no place .* so that the place is undefined"),
        ("{{answer_choices[blank | int]}}", "'blank' is '', so that the place is undefined"),
        ("{{blank | int}}", "cannot be filled: '' is no number"),
        ("{{blank | float}}", "cannot be filled: '' is no number"),
        ("{{answer_choices[one]}}", "'one' is '1'; the places are 0 to 1; `| int` makes a whole number of it"),
        ("{{{'a': 'A'}[blank]}}", r"`blank` gives no place .* the places are \['a'\]"),
        ("{{answer_choices[{'a': 0}[blank]]}}", "`blank` gives no place"),
        ("{{nothing[label]}}", "no field 'nothing'"),
        ("{{blank[label]}}", "'label' is 0; the places are none"),
        ("{{text[low:3]}}", "'low' is -2; the places are 0 to 5"),
        ("{{text[:low]}}", "'low' is -2; the places are 0 to 5"),
        ("{{text[high:]}}", "'high' is 9; the places are 0 to 5"),
        ("{{text[one:]}}", "'one' is '1'; the places are 0 to 5"),
        ("{{text[nothing:]}}", "no field 'nothing'"),
        ("{{[text] | map(attribute=low) | join}}", "'low' is -2; the places are those from 0 on"),
        ("{{answer_choices.pop(low)}}", "'low' is -2; the places are those from 0 on"),
    ],
)
def test_what_gives_no_place(template: str, message: str) -> None:
    fields: Dict[str, Any] = {"label": 0, "other": {}, "blank": "", "one": "1", "nothing": None, "text": "a text"[1:]}
    with pytest.raises(RowError, match=message):
        _target(template, low=-2, high=9, **fields)


@pytest.mark.parametrize(
    "template, target",
    [
        ("{{words[-1]}}{{words[-3:-1] | join}}{{text.split()[-1]}}", "cabtext"),
        ("{% set last = -1 %}{{words[last]}}", "c"),
        ("{{words[-1 if label == 2 else 0]}}", "c"),
        ("{{words[7]}}{{words['x']}}{{words[label]}}", "c"),
        ("{% for place in range(5) %}{{words[place]}}{% endfor %}", "abc"),
        ("{{words[one | int]}}{{words[half | round | int]}}{{words['' | int(2)]}}", "bbc"),
        ("{{words[minus] | default('none')}}{{'' if words[minus] is defined else '!'}}", "none!"),
        ("{{text[label:9]}}{{text[-2:]}}{{text[:high]}}", "textxta text"),
        ("{{words.pop()}}{{words.pop(-1)}}{{words.pop(zero)}}", "cba"),
        ("{{{'1': 'x', 1: 'y'}[one]}}{{{'1': 'x', 1: 'y'}[1.0]}}", "xy"),
    ],
)
def test_jinjas_own_meaning(template: str, target: str) -> None:
    fields: Dict[str, Any] = {"words": list("abc"), "text": "a text", "label": 2, "one": "1", "half": 0.7}
    assert _target(template, minus=-1, zero=0, high=90, **fields) == target


def test_a_template_that_writes_nothing_on_purpose() -> None:
    for template in ("{% if label >= 0 %}{{answer_choices[label]}}{% endif %}", "{{words[0]}}"):
        assert _target(template, label=-1, words=[]) is None


METHODS = ["items", "values", "keys", "copy", "get", "update", "pop", "index", "count", "format", "title", "split"]


@pytest.mark.parametrize("name", [*METHODS, "range", "dict", "zip", "namespace", "lipsum"])
def test_the_rows_value_wins(name: str) -> None:
    for template in (f"{{{{q.{name}}}}}", f"{{{{q['{name}']}}}}", f"{{{{q | attr('{name}')}}}}"):
        assert _target(template, q={name: "theirs", "other": 1}) == "theirs"
        assert _target(template, q={"other": 1}) is None
        with pytest.raises(RowError):
            render(compile_template(template, "template"), "template", Row(0, {"q": {}}, "raw.jsonl:1"))
    assert _target(f"{{{{{name}}}}}", **{name: "theirs"}) == "theirs"
    assert _target(f"{{{{[q] | map(attribute='{name}') | join}}}}", q={name: "theirs"}) == "theirs"
    with pytest.raises(RowError, match=f"no field '{name}'"):
        _target(f"{{{{{name}}}}}", q="")


def test_methods_and_functions_are_called() -> None:
    row = {"q": {"items": "theirs", "b": 2}, "range": "1-2", "text": "A b"}
    assert _target("{% for k, v in q.items() %}{{k}}{{v}}{% endfor %}{{range(2) | list}}{{range}}", **row) == (
        "itemstheirsb2[0, 1]1-2"
    )
    assert _target("{{text.lower().split()[1]}}{{q.get('c', 'd')}}", **row) == "bd"


@pytest.mark.parametrize(
    "template, message",
    [
        ("{{text.upper}}", r"'upper' is a method; write upper\(\) to call it"),
        ("{{text.upper ~ '!'}}", r"'upper' is a method"),
        ("{{words | map('upper')}}", r"a generator is no text; `\| list` or `\| join` writes what it gives"),
        ("{{zip(words, words)}}", "a zip is no text"),
        ("{% macro m() %}{% endmacro %}{{m}}", "a Macro is no text"),
    ],
)
def test_no_place_in_memory_is_written(template: str, message: str) -> None:
    with pytest.raises(RowError, match=message):
        _target(template, text="a", words=["b"])


def test_prompts_of_one_template_alone() -> None:
    template = compile_template("{{words[label]}}", "template")
    assert render(template, "template", Row(0, {"words": ["a"], "label": 0}, "raw.jsonl:1")) == "a"
    with pytest.raises(RowError, match="raw.jsonl:1: `label` gives no place in `template`: 'label' is -1"):
        render(template, "template", Row(0, {"words": ["a"], "label": -1}, "raw.jsonl:1"))


def test_choices_of_the_row_by_a_field() -> None:
    row = Row(0, {"sets": [["a", "b"], ["c", "d"]], "which": -1, "label": 1}, "raw.jsonl:1")
    template = PromptTemplate("t", "Which? ||| {{answer_choices[label]}}", "{{sets[which] | join('|||')}}")
    with pytest.raises(RowError, match="`which` gives no place"):
        template.apply(row)
    assert template.apply(row._replace(content={**row.content, "which": 1})) == Prompt("Which?", "d", ["c", "d"])
