import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_array, read_arrays, texts_of


@pytest.mark.parametrize("ending", ["npz", "npy"])
@pytest.mark.parametrize("seed", range(150))
def test_a_damaged_file_is_named(ending: str, seed: int, tmp_path: Path) -> None:
    path = tmp_path / f"file.{ending}"
    if ending == "npz":
        np.savez_compressed(path, a=np.arange(50), b=np.array(["x", "y"]))
    else:
        np.save(path, np.arange(50))
    draw = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 4)):
        content[draw.randrange(len(content))] = draw.randrange(256)
    path.write_bytes(content[: draw.randrange(len(content))] if seed % 3 == 0 else content)
    try:
        read_arrays(path, ("a", "b"), "arrays") if ending == "npz" else read_array(path, "an array")
    except ConfigurationError as error:
        assert str(path) in str(error) and "\n" not in str(error)


def test_what_is_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3), c=np.arange(2))
    assert list(read_arrays(tmp_path / "a.npz", ["a"], "arrays", "b")) == ["a"]
    assert list(read_arrays(tmp_path / "a.npz", ["a"], "arrays", "c")) == ["a", "c"]
    with pytest.raises(ConfigurationError, match=r"a\.npz: is an archive, not an array"):
        read_array(tmp_path / "a.npz", "an array")
    with pytest.raises(ConfigurationError, match="a.npz: not arrays .*b is not a file"):
        read_arrays(tmp_path / "a.npz", ["b"], "arrays")


@pytest.mark.parametrize("values", [np.ones(2) * 1j, np.array(["1"]), np.array([True])])
def test_what_is_no_number(values: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ConfigurationError, match="real numbers are needed"):
        read_array(tmp_path / "a.npy", "an array")


@pytest.mark.parametrize("names", [["a", "a"], ["a\tb"], ["a\nb"], [1, 2], [["a"]], "a"])
def test_what_are_no_names(names: Any) -> None:
    with pytest.raises(ValueError):
        texts_of(np.array(names))
