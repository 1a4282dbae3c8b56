from typing import Any, Dict

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError
from attribution.data.prompts import Prompt, PromptTemplate, compile_template


def _row(number: int = 0, **fields: Any) -> Row:
    return Row(number, fields, f"raw.jsonl:{number + 1}")


def test_input_target_and_choices() -> None:
    template = PromptTemplate(
        "ask", "{{text}}\n{{answer_choices | join(' or ')}} ? |||\n{{answer_choices[label]}}", "bad ||| good"
    )
    assert template.apply(_row(text="A film.", label=1)) == Prompt("A film.\nbad or good ?", "good", ["bad", "good"])


def test_choices_of_the_row() -> None:
    template = PromptTemplate("ask", "{{q}} ||| {{answer_choices[a]}}", "{{options | join('|||')}}")
    assert template.apply(_row(q="which?", options=["x ", "y"], a=0)) == Prompt("which?", "x", ["x", "y"])


def test_a_separator_in_the_row_is_text() -> None:
    assert PromptTemplate("echo", "{{text}} ||| {{text}}").apply(_row(text="a ||| b")) == Prompt(
        "a ||| b", "a ||| b", []
    )


@pytest.mark.parametrize(
    "jinja, fields",
    [
        ("{{text}} ||| {{answers.text[0]}}", {"text": "why?", "answers": {"text": []}}),  # No answer: an empty target.
        ("{% if label != -1 %}{{text}} ||| {{label}}{% endif %}", {"text": "why?", "label": -1}),
        ("{{text}} ||| yes", {"text": ""}),
        ("{{text}}", {"text": "no target"}),
        ("{{text}} ||| yes ||| no", {"text": "two targets"}),
    ],
)
def test_a_row_that_a_template_is_not_meant_for(jinja: str, fields: Dict[str, Any]) -> None:
    assert PromptTemplate("t", jinja).apply(_row(**fields)) is None


def test_a_missing_field_is_named() -> None:
    with pytest.raises(RowError, match=r"raw\.jsonl:4: no field 'premise', which `templates: nli` uses"):
        PromptTemplate("nli", "{{premise}} ||| {{label}}").apply(_row(3, label=1))


def test_fixed_choices_are_each_rows_own() -> None:
    template = PromptTemplate("ask", "{{q}} ||| {{answer_choices.pop()}}", "a ||| b")
    prompts = [template.apply(Row(number, {"q": "?"}, "here")) for number in (0, 1)]
    assert [prompt and prompt.target for prompt in prompts] == ["b", "b"]


def test_an_empty_choice_is_not_meant() -> None:
    template = PromptTemplate("ask", "{{q}} ||| {{answer_choices[0]}}", "{{options | join('|||')}}")
    assert template.apply(Row(0, {"q": "?", "options": ["a", "b"]}, "here")) is not None
    assert template.apply(Row(0, {"q": "?", "options": ["a", " "]}, "here")) is None


def test_random_choices_are_the_rows_own() -> None:
    template = PromptTemplate("t", "{{ words | choice }}{{ words | random }} ||| {{ ['x', 'y'] | choice }}")
    prompts = [template.apply(_row(number, words=list("abcdefgh"))) for number in range(40)]
    assert len(set(map(str, prompts))) > 20
    assert [template.apply(_row(number, words=list("abcdefgh"))) for number in (30, 7)] == [prompts[30], prompts[7]]
    assert [template.apply(_row(number, words=list("abcdefgh")), seed=1) for number in range(40)] != prompts


def test_zip_and_most_frequent() -> None:
    jinja = "{% for a, b in zip(one, two) %}{{a}}{{b}} {% endfor %}|||{{ two | most_frequent | join(',') }}"
    row = _row(one=[1, 2, 3, 4, 5], two=list("abacb"))
    assert PromptTemplate("t", jinja).apply(row) == Prompt("1a 2b 3a 4c 5b", "a,b", [])


def test_the_sandbox_and_what_is_random_without_a_seed() -> None:
    with pytest.raises(RowError, match="cannot be filled"):
        PromptTemplate("t", "{{text.__class__.__mro__[1].__subclasses__()}} ||| x").apply(_row(text="a"))
    with pytest.raises(RowError, match="no field 'lipsum'"):
        PromptTemplate("t", "{{lipsum()}} ||| x").apply(_row(text="a"))


def test_no_jinja() -> None:
    with pytest.raises(ConfigurationError, match="file.yaml: broken: .* is not valid Jinja"):
        PromptTemplate("broken", "{% if %}", where="file.yaml")
    with pytest.raises(ConfigurationError, match="is not valid Jinja"):
        PromptTemplate("broken", "a ||| b", "{{")


def test_what_a_template_does_to_a_field_no_other_sees() -> None:
    row = _row(text="why?", choices=["a", "b"], inner={"of": [{"x": []}], "pair": ([1],)})
    changing = PromptTemplate(
        "changing",
        "{{choices.append('c') or ''}}{{inner.of[0].x.append(1) or ''}}{{inner.update(z=1) or ''}}"
        "{{inner.pair[0].append(2) or ''}}{{choices | join}}{{inner}} ||| {{answer_choices.pop()}}",
        "{{choices.insert(0, 'first') or ''}}{{choices | join('|||')}}",
    )
    first = changing.apply(row)
    assert first == Prompt("abc{'of': [{'x': [1]}], 'pair': ([1, 2],), 'z': 1}", "b", ["first", "a", "b"])
    assert changing.apply(row) == first
    assert row.content == {"text": "why?", "choices": ["a", "b"], "inner": {"of": [{"x": []}], "pair": ([1],)}}


def test_a_template_that_only_looks_gets_the_row_itself() -> None:
    reading = compile_template("{{choices | sort | join}}{% set found = [] %}{{text.upper()}}", "reading")
    changing = compile_template("{% if 1 %}{{choices.remove(text) or ''}}{% endif %}", "changing")
    assert not reading.changes_fields and changing.changes_fields


@pytest.mark.parametrize("longest, fits", [(30, True), (29, False)])
def test_what_one_template_may_write(longest: int, fits: bool) -> None:
    template = PromptTemplate("loop", "{% for i in range(n) %}abc{% endfor %} ||| yes", longest=longest)
    number = 8  # 24 characters, and ` ||| yes` of 6.
    if fits:
        assert template.apply(_row(n=number)) == Prompt("abc" * number, "yes", [])
        return
    with pytest.raises(RowError, match=r"raw\.jsonl:3: `templates: loop` cannot be filled: it writes more than 29"):
        template.apply(_row(2, n=number))


def test_what_a_template_may_write_by_default() -> None:
    template = PromptTemplate("loop", "{% for i in range(n) %}{{text}}{% endfor %} ||| yes")
    assert template.apply(_row(text="a" * 100, n=9_999)) is not None
    with pytest.raises(RowError, match="more than 1,000,000 characters, which `longest_text` allows"):
        template.apply(_row(text="a" * 100, n=10_000))
