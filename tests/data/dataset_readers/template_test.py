from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.data.dataset_readers import TemplateReader

NLI: Dict[str, Any] = {
    "template": "{{premise}}\nQuestion: {{hypothesis}} True, False, or Neither?",
    "options": ["true", "false", "neither"],
    "label_map": {"entailment": 0, "contradiction": 1, "neutral": 2},
}
ROW = {"premise": "A cat sat.", "hypothesis": "It sat.", "label": "neutral"}


def _read(settings: Dict[str, Any], rows: List[Any], write_jsonl: Callable[..., str], **kwargs: Any) -> Any:
    return list(TemplateReader("unused", **settings).examples(write_jsonl("raw.jsonl", rows), **kwargs))


def test_from_a_configuration(write_jsonl: Callable[..., str]) -> None:
    reader = DatasetReader.from_params(Params({"type": "prompted_reader", "model_name": "unused", **NLI}))
    [example] = reader.examples(write_jsonl("raw.jsonl", [ROW]))  # type: ignore[attr-defined]
    assert example.input == "A cat sat.\nQuestion: It sat. True, False, or Neither?"
    assert (example.options, example.answer) == (["true", "false", "neither"], 2)


@pytest.mark.parametrize(
    "settings, row, options, answer",
    [
        ({"options": ["{{a}}", "{{b}}"]}, {"a": "one", "b": "two", "label": 1}, ["one", "two"], 1),
        ({"options": "endings"}, {"endings": ["x ", "y", "z"], "label": "z"}, ["x", "y", "z"], 2),
        ({"options": ["no", "yes"], "label_map": {"True": 1, "False": 0}}, {"label": True}, ["no", "yes"], 1),
        ({"options": ["no", "yes"], "label_map": {"true": 1, "false": 0}}, {"label": True}, ["no", "yes"], 1),
        ({"options": ["true", "false"], "label_map": None}, {"label": False}, ["true", "false"], 1),
        ({"options": "choices", "label_map": None}, {"choices": [False, True], "label": True}, ["false", "true"], 1),
        ({"options": "choices", "label_map": None}, {"choices": [2, 3, 4], "label": 4}, ["2", "3", "4"], 2),
        ({"options": ["1", "2"], "label": "answer"}, {"answer": "2"}, ["1", "2"], 1),
    ],
)
def test_options_and_labels(
    settings: Any, row: Any, options: List[str], answer: int, write_jsonl: Callable[..., str]
) -> None:
    [example] = _read({"template": "which?", **settings}, [row], write_jsonl)
    assert (example.options, example.answer) == (options, answer)


@pytest.mark.parametrize(
    "settings, reason",
    [
        ({"template": " {% if a %}{{a}}{% endif %}\n"}, "an empty prompt"),
        ({"template": "x", "options": ["no", "{% if a %}{{a}}{% endif %}"]}, "an empty option"),
        ({"template": "x", "options": "listed"}, "an empty option"),
    ],
)
def test_nothing_to_read_or_to_rank(settings: Any, reason: str, write_jsonl: Callable[..., str]) -> None:
    rows = [{"a": "a", "label": 0, "listed": ["no", "a"]}, {"a": "", "label": 0, "listed": ["no", " "]}]
    reader = TemplateReader("unused", **{"options": ["no", "a"], **settings})
    path = write_jsonl("raw.jsonl", rows)
    with pytest.raises(ConfigurationError, match=f"raw.jsonl:2: {reason}; the row has"):
        list(reader.examples(path))
    assert len(list(reader.examples(path, skip_bad_rows=True))) == 1
    assert reader.counts == {f"rows skipped: {reason}": 1}


def test_a_truth_in_a_template(write_jsonl: Callable[..., str]) -> None:
    """As Jinja writes it, and as promptsource's prompts have it."""
    rows = [{"a": True, "label": 0}, {"a": False, "label": 0}]
    template = "{{a}}{% if a %} yes{% endif %}"
    texts = [one.input for one in _read({"template": template, "options": ["x"]}, rows, write_jsonl)]
    assert texts == ["True yes", "False"]


def test_queries_need_no_label(write_jsonl: Callable[..., str]) -> None:
    hidden = {"premise": "a", "hypothesis": "b", "label": -1}  # As the test sets of GLUE have it.
    assert _read(NLI, [hidden], write_jsonl, labelled=False)[0].answer is None
    [example] = _read(NLI, [{"premise": "a", "hypothesis": "b"}], write_jsonl, labelled=False)
    assert example.answer is None


@pytest.mark.parametrize(
    "settings, row, message",
    [
        ({}, {"premise": "a", "label": "neutral"}, r"raw\.jsonl:1: no field 'hypothesis', which `template` uses"),
        ({}, {"premise": "a", "hypothesis": "b"}, r"raw\.jsonl:1: no field 'label', which `label` names"),
        ({}, {**ROW, "label": "dunno"}, r"raw\.jsonl:1: the label 'dunno' is not in `label_map`"),
        ({"label_map": None}, {**ROW, "label": "maybe"}, r"the target is none of the options: 'maybe' of \['true'"),
        ({"label_map": None}, {**ROW, "label": 3}, r"the target is none of the options: 3 of"),
        (
            {"label_map": None, "options": ["1", "2", "3"]},
            {**ROW, "label": 1},
            r"the label 1 is the place of one option, the text of another, of .*; a `label_map` says which it is",
        ),
        ({"options": "choices"}, {**ROW, "choices": []}, r"the field 'choices', which is no list of texts, but \[\]"),
        ({"options": "choices"}, ROW, r"the field 'choices', which is no list of texts, but None"),
        (
            {"options": "choices"},
            {**ROW, "choices": ["b", None]},
            r"the field 'choices', which is no list of texts, but",
        ),
        ({}, {**ROW, "label": None}, r"raw\.jsonl:1: no field 'label', which `label` names"),
        (
            {},
            {**ROW, "hypothesis": None},
            r"raw\.jsonl:1: no field 'hypothesis', which `template` uses; there are",
        ),
        ({}, {**ROW, "hypothesis": float("nan")}, r"raw\.jsonl:1: no field 'hypothesis', which `template` uses"),
    ],
)
def test_a_row_that_does_not_fit_is_named(
    settings: Any, row: Any, message: str, write_jsonl: Callable[..., str]
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _read({**NLI, **settings}, [row], write_jsonl)


def test_csv_labels_and_folders(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na film,1\na cat,0\n")
    reader = TemplateReader("unused", "{{text}}", ["no", "yes"])
    assert [example.answer for example in reader.examples(str(tmp_path / "rows.csv"))] == [1, 0]
    (tmp_path / "rows_more.csv").write_text("text,label\na dog,1\n")
    assert [example.answer for example in reader.examples(str(tmp_path))] == [1, 0, 1]
    (tmp_path / "rows_more.csv").rename(tmp_path / "test.csv")
    (tmp_path / "rows.csv").rename(tmp_path / "train.csv")
    with pytest.raises(ConfigurationError, match="rows of several splits, test and train; name a file, or .*`dataset:"):
        list(reader.examples(str(tmp_path)))


def test_bad_settings() -> None:
    with pytest.raises(ConfigurationError, match="`options` is empty"):
        TemplateReader("unused", "x", [])
    with pytest.raises(ConfigurationError, match="not valid Jinja"):
        TemplateReader("unused", "{{ x", ["a"])


def test_a_field_that_no_row_has_is_told_of(write_jsonl: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    settings = {**NLI, "template": "{% if context %}{{context}} {% endif %}{{premise}}"}
    rows = [ROW, {**ROW, "context": None}, {**ROW, "context": "A mat."}]
    texts = [example.input for example in _read(settings, rows, write_jsonl)]
    assert texts == ["A cat sat.", "A cat sat.", "A mat. A cat sat."] and caplog.text == ""
    _read(settings, rows[:1], write_jsonl)
    assert "raw.jsonl: no row has the field 'context'; there are ['hypothesis', 'label', 'premise']" in caplog.text


def test_templates_run_in_a_sandbox(write_jsonl: Callable[..., str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be filled"):
        _read({**NLI, "template": "{{ ''.__class__.__mro__[1].__subclasses__() }}"}, [ROW], write_jsonl)


def test_an_over_long_option_is_an_error(write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]) -> None:
    path = write_jsonl("raw.jsonl", [{"label": 0}])
    options = ["yes", "one two three four"]
    fits = TemplateReader(tiny_model("t5"), "a film", options, max_answer_length=5)
    assert len(list(fits.read(path))) == 1
    with pytest.raises(ConfigurationError, match=r"raw\.jsonl:1: the option 'one two.*has 5 tokens.*max_answer_length"):
        list(TemplateReader(tiny_model("t5"), "a film", options, max_answer_length=4).read(path))


def test_a_longest_option_leaves_the_cut_of_prompts_alone(
    write_jsonl: Callable[..., str], tiny_model: Callable[[str], str]
) -> None:
    """Whether it is too long is looked up while another thread cuts the next block's prompts."""
    reader = TemplateReader(tiny_model("t5"), "a film", ["one two"], max_answer_length=3)
    assert len(list(reader.read(write_jsonl("raw.jsonl", [{"label": 0}])))) == 1
    assert reader.tokenizer._tokenizer.backend_tokenizer.truncation["max_length"] == 3


@pytest.mark.parametrize("setting", ["template", "options"])
def test_what_a_template_may_write_for_a_row(setting: str, write_jsonl: Callable[..., str]) -> None:
    long = "{% for i in range(99) %}{{premise}}{% endfor %}"
    settings = {**NLI, setting: long if setting == "template" else [long], "longest_text": 98}
    with pytest.raises(ConfigurationError, match=f"raw.jsonl:1: `{setting}` cannot be filled: it writes more than 98"):
        _read(settings, [ROW], write_jsonl)
