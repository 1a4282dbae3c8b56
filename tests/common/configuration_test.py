import os
from pathlib import Path
from typing import Any, Callable

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.configuration import read_configuration


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: None, "no such file"),
        (Path.mkdir, "is a directory"),
        (os.mkfifo, "is no regular file, but a pipe or a device"),
        (lambda path: path.write_text("[1]"), r"an object of settings is needed, this is \[1\]"),
        (lambda path: path.write_text("null"), "an object of settings is needed, this is None"),
    ],
)
def test_what_is_no_configuration(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.jsonnet"
    make(path)
    with pytest.raises(ConfigurationError, match=rf"settings\.jsonnet: {message}"):
        read_configuration(str(path))


def test_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "settings.jsonnet").write_text("local x = 1; { a: x, b: 2 }")
    assert read_configuration(str(tmp_path / "settings.jsonnet"), '{"b": 3}').as_dict(quiet=True) == {"a": 1, "b": 3}
