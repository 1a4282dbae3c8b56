import json
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from attribution.common.kept import check_alike, kept_lines, missing_arrays, write_array

GOOD = np.arange(12, dtype=np.float32).reshape(4, 3)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _object(path: Path) -> None:
    np.save(path, np.array([{}] * 4, dtype=object), allow_pickle=True)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, GOOD)


DAMAGE: Dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": _cut,
    "longer": _longer,
    "a text": lambda path: path.write_text("nonsense"),
    "objects": _object,
    "an archive": _archive,
    "a folder": _folder,
    "not finite": lambda path: np.save(path, np.where(GOOD == 5, np.nan, GOOD)),
    "fewer rows": lambda path: np.save(path, GOOD[1:]),
    "no rows": lambda path: np.save(path, GOOD[:0]),
    "one length": lambda path: np.save(path, GOOD[:, 0]),
    "another type": lambda path: np.save(path, GOOD.astype(np.float64)),
    "numbers of texts": lambda path: np.save(path, GOOD.astype(str)),
    "another width": lambda path: np.save(path, GOOD[:, :2]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_array_is_made_again(
    damage: Callable[[Path], Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [tmp_path / f"{number}.npy" for number in range(4)]
    for file in files[:3]:
        write_array(file, GOOD)
    damage(files[1])
    assert missing_arrays({file: (4, None) for file in files}, ["float32"]) == [files[1], files[3]]
    assert str(files[1]) in caplog.text and "it is made again" in caplog.text
    assert sorted(tmp_path.iterdir()) == [files[0], files[2]]


def test_arrays_of_two_widths(tmp_path: Path) -> None:
    files = [tmp_path / "0.npy", tmp_path / "1.npy"]
    write_array(files[0], GOOD)
    write_array(files[1], GOOD[:, :2])
    with pytest.raises(ConfigurationError, match=r"1\.npy: has 2 numbers a row, 0\.npy has 3"):
        check_alike(files)


@given(st.lists(st.integers(0, 9), max_size=4), st.binary(max_size=12))
def test_lines_up_to_the_first_that_is_damaged(tmp_path_factory: Any, numbers: Any, rest: bytes) -> None:
    path = tmp_path_factory.mktemp("lines") / "lines.jsonl"
    whole = "".join(json.dumps({"place": place, "number": number}) + "\n" for place, number in enumerate(numbers))
    path.write_bytes(whole.encode() + rest)

    def fits(place: int, value: Any) -> bool:
        return isinstance(value, dict) and value.get("place") == place

    assert [line["number"] for line in kept_lines(path, fits)] == numbers
    assert path.read_text() == whole


def test_what_is_lost_is_said_but_not_of_the_line_that_a_kill_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("1\n2\n[")
    assert kept_lines(path, lambda *_: True) == [1, 2]
    assert caplog.text == ""
    path.write_text("1\n[\n3\n")
    assert kept_lines(path, lambda *_: True) == [1]
    assert "lines.jsonl:2: damaged" in caplog.text
    assert kept_lines(tmp_path / "none.jsonl", lambda *_: True) == []
