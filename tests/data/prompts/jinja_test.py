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


@pytest.mark.parametrize(
    "source", ["{{text + 1}}", "{{1 / 0}}", "{{().__class__.__bases__}}", "{{label.__class__.mro()}}"]
)
def test_what_cannot_be_filled_names_row_and_setting(source: str) -> None:
    with pytest.raises(RowError, match=r"raw\.jsonl:1: `template` cannot be filled: .*; the row has \['label', "):
        render(compile_template(source, "template"), "template", ROW)
