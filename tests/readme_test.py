"""The README's table of registered names is that of the code."""

import re
from pathlib import Path

import pytest
from allennlp.common import Registrable

import attribution

README = Path(attribution.__file__).parents[1] / "README.md"
ROW = re.compile(r"^\| (`[^|]*`) \| (\w+) \| (attribution/\S+) \|$", re.MULTILINE)


def test_every_registered_name_and_its_file() -> None:
    documented = {
        (name, kind, file)
        for names, kind, file in ROW.findall(README.read_text())
        for name in re.findall(r"`(.+?)`", names)
    }
    registered = {
        (name, base.__name__, subclass.__module__.replace(".", "/") + ".py")
        for base, names in Registrable._registry.items()
        for name, (subclass, _) in names.items()
        if subclass.__module__.startswith("attribution.")
    }
    assert documented == registered


PAGES = sorted((README.parent / "docs" / "originals").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_step_of_an_original_names_a_test_and_a_file_that_are_there(page: Path) -> None:
    text = page.read_text()
    steps = [row for row in text.splitlines() if row.startswith("| ")][1:]
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert steps and all("`tests/" in step for step in steps)
    for file, name in tests:
        assert re.search(rf"^def {name}\(", (README.parent / file).read_text(), re.MULTILINE), f"{file}::{name}"
    for file in re.findall(r"(?<!tests/)\b(?:training_config|shell_scripts)/[\w/]+\.\w+", text):
        assert (README.parent / file).is_file(), file
