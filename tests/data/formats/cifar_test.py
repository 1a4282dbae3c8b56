from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.formats.cifar import read_cifar
from tests.data.conftest import write_cifar


def test_planes_of_colours(tmp_path: Path) -> None:
    """Of an image the red of row 3, column 5 is at byte 2 + 3 * 32 + 5 of its record, the blue two planes on."""
    content = bytearray(2 * 3074)
    content[1] = 99
    content[3074] = 19
    content[3074 + 2 + 3 * 32 + 5] = 7
    content[3074 + 2 + 2 * 1024 + 3 * 32 + 5] = 9
    (tmp_path / "train.bin").write_bytes(content)
    images, labels = read_cifar(tmp_path / "train.bin")
    assert images.shape == (2, 32, 32, 3) and images.dtype == np.uint8 and labels.tolist() == [99, 0]
    assert images[1, 3, 5].tolist() == [7, 0, 9] and images.sum() == 16


def test_damaged_files(tmp_path: Path) -> None:
    path = write_cifar(tmp_path, np.zeros((3, 32, 32, 3), np.uint8), [1, 2, 3])
    whole = path.read_bytes()
    for content, message in (
        (whole[:-1], r"train.bin has 9,221 bytes; CIFAR-100's binary version has 3,074 an image"),
        (b"", "train.bin has 0 bytes"),
        (whole[:3074] + b"\x14" + whole[3075:], "train.bin: image 2 has the classes 20 and 2; of CIFAR-100 they are"),
        (whole[:3075] + b"\xc8" + whole[3076:], "train.bin: image 2 has the classes 0 and 200"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=message):
            read_cifar(path)
