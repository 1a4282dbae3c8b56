from pathlib import Path
from typing import Any, Callable, List

import datasets
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row, RowError
from attribution.data.pool_sources import PoolRow, PoolSource, Skipped, templates
from tests.data.prompts.promptsource_test import TEMPLATES

RAW = [{"text": "I slept.", "label": 0}, {"text": "I wept.", "label": 1}, {"text": "", "label": 1}]
INLINE = {"say": {"jinja": "{{text}} ? ||| {{answer_choices[label]}}", "answer_choices": "dull ||| great"}}


@pytest.fixture
def source(write_jsonl: Callable[..., str]) -> Callable[..., PoolSource]:
    path = write_jsonl("films.jsonl", RAW)

    def make(templates: Any, **settings: Any) -> PoolSource:
        rows = {"type": "rows", "path": path, "split": "dev"}
        return PoolSource.from_params(Params({"type": "templates", "rows": rows, "templates": templates, **settings}))

    return make


def _contents(source: PoolSource) -> List[Any]:
    return [row.content if isinstance(row, PoolRow) else row for row in source.rows()]


def test_every_row_in_every_prompt(source: Any) -> None:
    contents = _contents(source({**INLINE, "echo": "{{label}} ||| {{text}}"}))
    assert [content["template"] for content in contents[:4]] == ["say", "echo"] * 2
    assert contents[0] == {
        "input": "I slept. ?",
        "target": "dull",
        "answer_choices": ["dull", "great"],
        "task": "films",
        "template": "say",
        "id": "films|dev|say|#0",
    }
    assert contents[3]["id"] == "films|dev|echo|#1" and "answer_choices" not in contents[3]
    assert isinstance(contents[5], Skipped)  # An empty target.


def test_promptsources_file(source: Any, tmp_path: Path) -> None:
    path = tmp_path / "templates.yaml"
    path.write_text(TEMPLATES)
    made = source(str(path), only=["write"], task="films short")
    assert [content["id"] for content in _contents(made)[:2]] == [f"films short|dev|write|#{n}" for n in (0, 1)]
    assert [file.name for file in made.inputs()] == ["films.jsonl", "templates.yaml"]


def test_an_error_is_the_templates_alone(source: Any) -> None:
    wrong, right = _contents(source({"wrong": "{{title}} ||| x", "right": "{{text}} ||| x"}))[:2]
    assert isinstance(wrong, RowError) and "films.jsonl:1: no field 'title', which `templates: wrong` uses" in str(
        wrong
    )
    assert right["template"] == "right"


def test_a_field_that_no_row_has_is_told_of(source: Any, caplog: pytest.LogCaptureFixture) -> None:
    texts = [row["input"] for row in _contents(source({"say": "{% if txet %}{{txet}} {% endif %}{{label}} ||| x"}))]
    assert texts == ["0", "1", "1"]
    assert "templates: say: no row has the field 'txet'; there are ['label', 'text']" in caplog.text


def test_mistakes(source: Any, write_jsonl: Any, tmp_path: Path) -> None:
    write_jsonl("rows.jsonl", RAW)
    with pytest.raises(ConfigurationError, match=r"templates: there is no 'sing', only \['say'\]"):
        source(INLINE, only=["sing"])
    with pytest.raises(ConfigurationError, match="is not valid Jinja"):
        source({"broken": "{{"})
    with pytest.raises(ConfigurationError, match="templates: say needs"):
        source({"say": {"answer_choices": "a"}})
    for setting, value in (("layout", "flan"), ("fields", {"text": "input"}), ("template", "say")):
        with pytest.raises(ConfigurationError, match=f"templates: rows.{setting} is for prompted rows"):
            source(INLINE, rows={"type": "rows", "path": str(tmp_path), setting: value})


@pytest.mark.parametrize(
    "label, reason",
    [
        (-1, "`label` gives no place in `templates: say`: 'label' is -1"),
        (None, "no field 'label', which `templates: say` uses"),
    ],
)
def test_a_row_without_a_label_is_an_error_that_names_it(label: Any, reason: str, tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"text": ["I slept.", "I wept."], "label": [1, label]}
    datasets.Dataset.from_dict(rows, features).save_to_disk(tmp_path / "saved")
    settings = {"type": "templates", "rows": {"type": "datasets", "path": str(tmp_path / "saved")}}
    templates = {**INLINE, "if": "{% if label == 1 %}{{text}} ||| {{['no', 'yes'][label]}}{% endif %}"}
    contents = _contents(PoolSource.from_params(Params({**settings, "templates": templates})))
    assert [content["target"] for content in contents[:2]] == ["great", "yes"]
    assert isinstance(contents[2], RowError) and f"saved train:2: {reason}" in str(contents[2])
    if label is None:  # Nor is it known whether it is 1.
        assert isinstance(contents[3], RowError) and "no field 'label'" in str(contents[3])
    else:
        assert contents[3] == Skipped("a template gives no input, no target or an empty choice for the row")


def test_what_a_template_may_write_for_a_row(source: Any) -> None:
    templates = {"long": "{% for i in range(99) %}{{text}}{% endfor %} ||| x", **INLINE}
    contents = _contents(source(templates, longest_text=99))
    errors = [content for content in contents if isinstance(content, RowError)]
    assert len(errors) == 2  # The third text is empty.
    assert "films.jsonl:1: `templates: long` cannot be filled: it writes more than 99 characters" in str(errors[0])


FIVE = {f"t{number}": f"{{{{text}}}} {number} ||| x" for number in range(5)}


def test_so_many_templates_of_each_row(source: Any) -> None:
    """Those that are meant for it: never a refused one in the place of another."""
    meant = {**FIVE, "long": "{% if text|length > 7 %}{{text}} ||| long{% endif %}"}
    rows = _contents(source(meant, per_row=2, seed=4))
    assert [row["id"].rsplit("#")[1] for row in rows if not isinstance(row, Skipped)] == ["0", "0", "1", "1", "2", "2"]
    pairs = [tuple(row["template"] for row in rows[start : start + 2]) for start in (0, 2, 4)]
    assert all(first != second for first, second in pairs)
    assert rows == _contents(source(meant, per_row=2, seed=4)) and not any(isinstance(row, Skipped) for row in rows)
    assert rows != _contents(source(meant, per_row=2, seed=5))
    assert len(_contents(source(meant, per_row=9))) == 6 + 5 + 5  # No more than there are.
    assert [type(one) for one in _contents(source({"none": "{{text}}"}, per_row=1))] == [Skipped] * 3


@pytest.mark.parametrize("rows, each", [(5_000, 5), (5_001, 4), (10_000, 4), (10_001, 3), (50_000, 3), (50_001, 1)])
def test_the_published_number_of_templates(rows: int, each: int, source: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert templates._SIZES == ((5_000, 10), (10_000, 7), (50_000, 5))
    monkeypatch.setattr(templates, "_SIZES", ((5, 5), (10, 4), (50, 3)))
    made = source(FIVE, per_row="by_size")
    monkeypatch.setattr(
        made._rows, "read", lambda: iter([Row(n, {"text": f"a{n}"}, f"x:{n}") for n in range(-(-rows // 1000))])
    )
    assert len(_contents(made)) == each * -(-rows // 1000)


@pytest.mark.parametrize("per_row", [0, -1, "all"])
def test_no_number_of_templates(per_row: Any, source: Any) -> None:
    with pytest.raises(ConfigurationError, match="per_row is .*'by_size'"):
        source(FIVE, per_row=per_row)
