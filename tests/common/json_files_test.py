import pickle
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.json_files import read_json_object


def test_the_object_and_its_place(tmp_path: Path) -> None:
    path = tmp_path / "object.json"
    path.write_text('{"a": [1, "ü"]}', encoding="utf-8")
    assert read_json_object(str(path)) == ({"a": [1, "ü"]}, path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "x.json: the file is empty"),
        (b'{"a": ', "x.json: not valid JSON"),
        (b"\xff\xfe", "x.json: not valid JSON"),
        (b"[1]", "x.json: a JSON object is needed, this is list"),
        (pickle.dumps({"a": 1}), "x.json: is a pickle. Those are never read"),
    ],
)
def test_what_is_no_object(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        read_json_object(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_json_object(tmp_path / "nothing.json")
    with pytest.raises(ConfigurationError, match="is a directory; a .json file is needed"):
        read_json_object(tmp_path)
