import gzip
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.text_lines import Line, read_lines

TEXT = "\ufeffone\ttwo\r\n\nünïcode and \u2028 a separator that is no line end"


@pytest.mark.parametrize("name", ["text.txt", "text.txt.gz"])
def test_every_line_with_its_place(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(TEXT.encode()) if name.endswith("gz") else TEXT.encode())
    assert list(read_lines(path)) == [
        Line("one\ttwo", f"{path}:1"),
        Line("", f"{path}:2"),
        Line("ünïcode and \u2028 a separator that is no line end", f"{path}:3"),
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.txt: no such file"):
        list(read_lines(tmp_path / "nowhere.txt"))
    with pytest.raises(ConfigurationError, match="is a directory; a file is needed"):
        list(read_lines(tmp_path))
    (tmp_path / "empty.txt").touch()
    with pytest.raises(ConfigurationError, match=r"empty\.txt: the file is empty"):
        list(read_lines(tmp_path / "empty.txt"))
    (tmp_path / "latin.txt").write_bytes("a\nfür\n".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"latin\.txt:2: not UTF-8 text"):
        list(read_lines(tmp_path / "latin.txt"))
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(TEXT.encode())[:-12])
    with pytest.raises(ConfigurationError, match=r"cut\.txt\.gz: truncated or not a .gz file"):
        list(read_lines(tmp_path / "cut.txt.gz"))
