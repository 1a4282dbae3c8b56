"""The README's table of registered names is that of the code."""

import re
from pathlib import Path

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
