import re
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.rows import Row
from attribution.data.prompts import read_promptsource

# The format of promptsource's files, with words of our own.
TEMPLATES = """
dataset: films
subset: short
templates:
  0a0a0a0a-0000-0000-0000-000000000001: !Template
    answer_choices: dull ||| great
    id: 0a0a0a0a-0000-0000-0000-000000000001
    jinja: "What did they say of it?\\n{{text}} ||| \\n{{answer_choices[label]\\
      \\ }}"
    metadata: !TemplateMetadata
      choices_in_prompt: false
      metrics:
      - Accuracy
      original_task: true
    name: what did they say
    reference: ''
  0a0a0a0a-0000-0000-0000-000000000002: !Template
    answer_choices: null
    id: 0a0a0a0a-0000-0000-0000-000000000002
    jinja: 'Write a review. ||| {{text}}'
    metadata: !TemplateMetadata
      original_task: false
    name: write
    reference: none
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "templates.yaml"
    path.write_text(TEMPLATES)
    return path


def test_templates_in_order(path: Path) -> None:
    row = Row(0, {"text": "I slept.", "label": 0}, "here")
    assert [(template.name, template.apply(row)) for template in read_promptsource(path)] == [
        ("what did they say", ("What did they say of it?\nI slept.", "dull", ["dull", "great"])),
        ("write", ("Write a review.", "I slept.", [])),
    ]
    assert [template.name for template in read_promptsource(path, only=["write"])] == ["write"]


def test_those_that_a_metric_measures(path: Path) -> None:
    names = [template.name for template in read_promptsource(path, metrics=["Squad", "Accuracy"])]
    assert names == ["what did they say"]
    with pytest.raises(
        ConfigurationError, match=r"measured by one of \['BLEU'\]; the metrics there are \['Accuracy'\]"
    ):
        read_promptsource(path, metrics=["BLEU"])
    with pytest.raises(ConfigurationError, match="no template is measured"):
        read_promptsource(path, only=["write"], metrics=["Accuracy"])


def test_a_name_that_is_not_there(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no template 'right'; there are \['what did they say', "):
        read_promptsource(path, only=["right"])


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("!TemplateMetadata", "!!python/object/apply:os.system", "not promptsource's YAML .*python/object"),
        ("templates:", "prompts:", "has no `templates`"),
        ("jinja: 'Write a review. ||| {{text}}'", "jinja: 3", "-000000000002 needs a `name` and a text under `jinja`"),
        ("name: write", "name: what did they say", "two templates with the name 'what did they say'"),
        ("{{text}}'", "{{text'", "templates.yaml: write: .* is not valid Jinja"),
        ("subset: short", "subset: [", "not promptsource's YAML"),
    ],
)
def test_mistakes_are_one_line(path: Path, old: str, new: str, message: str) -> None:
    path.write_text(TEMPLATES.replace(old, new))
    with pytest.raises(ConfigurationError, match=f"{re.escape(str(path))}|{message}") as caught:
        read_promptsource(path)
    assert re.search(message, str(caught.value)) and "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere.yaml: no such file"):
        read_promptsource(tmp_path / "nowhere.yaml")
