import bz2
import gzip
from pathlib import Path

import pyarrow
import pytest

from attribution.common.compression import COMPRESSIONS, binary_lines, split_compression
from attribution.common.rows import RowError

LINES = [b"one\n", b"two\r\n", "drei \u2028 ä".encode()]


def compressed(ending: str, content: bytes) -> bytes:
    if ending == ".zst":
        return pyarrow.Codec("zstd").compress(content, asbytes=True)
    return {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[ending](content)


@pytest.mark.parametrize("ending", ["", *COMPRESSIONS])
def test_lines(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.txt{ending}"
    path.write_bytes(compressed(ending, b"".join(LINES)))
    assert split_compression(path.name) == ("a.txt", ending)
    assert list(binary_lines(path, ending)) == LINES


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_a_file_of_several_parts(ending: str, tmp_path: Path) -> None:
    """As `cat` and parallel compressors make them."""
    path = tmp_path / "a"
    path.write_bytes(b"".join(compressed(ending, line) for line in LINES))
    assert list(binary_lines(path, ending)) == LINES


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_files_that_are_cut_short_or_none(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    whole = compressed(ending, b"".join(b"%d\n" % number for number in range(100_000)))
    path.write_bytes(whole[:-20])
    lines = binary_lines(path, ending)
    with pytest.raises(RowError, match=rf"a: truncated or not a {ending} file after line \d+ \("):
        for number, line in enumerate(lines):
            assert line == b"%d\n" % number
    path.write_bytes(b"plain text, and not a little of it")
    with pytest.raises(RowError, match=f"a: truncated or not a {ending} file after line 0"):
        list(binary_lines(path, ending))
