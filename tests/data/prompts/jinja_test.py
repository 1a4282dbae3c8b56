import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError
from attribution.data.prompts import compile_template, render

ROW = Row(0, {"text": " a film ", "label": 1}, "raw.jsonl:1")


def test_fields_and_further_variables() -> None:
    assert (
        render(compile_template("{{text}}, {{extra}}? ", "template"), "template", ROW, extra="good") == "a film , good?"
    )


def test_no_jinja() -> None:
    with pytest.raises(ConfigurationError, match="here: .* is not valid Jinja"):
        compile_template("{{text", "here")


def test_what_is_null_inside_of_a_field_is_so_in_json() -> None:
    row = Row(0, {"q": {"b": [None, {"c": None}], "a": 1}, "nothing": None}, "raw.jsonl:1")
    assert render(compile_template("{{q | tojson}}", "t"), "t", row) == '{"a": 1, "b": [null, {"c": null}]}'
    for field in ("nothing", "nope"):
        with pytest.raises(RowError, match=f"raw.jsonl:1: no field '{field}', which `t` uses"):
            render(compile_template("{{%s | tojson}}" % field, "t"), "t", row)


def test_what_a_filter_does_not_find_is_no_field() -> None:
    with pytest.raises(RowError, match="raw.jsonl:1: `t` cannot be filled: No first item, sequence was empty"):
        render(compile_template("{{q | first}}", "t"), "t", Row(0, {"q": []}, "raw.jsonl:1"))


@pytest.mark.parametrize(
    "source", ["{{text + 1}}", "{{1 / 0}}", "{{().__class__.__bases__}}", "{{label.__class__.mro()}}"]
)
def test_what_cannot_be_filled_names_row_and_setting(source: str) -> None:
    with pytest.raises(RowError, match=r"raw\.jsonl:1: `template` cannot be filled: .*; the row has \['label', "):
        render(compile_template(source, "template"), "template", ROW)
