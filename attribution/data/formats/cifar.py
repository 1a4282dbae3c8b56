"""CIFAR-100 in its binary version (https://www.cs.toronto.edu/~kriz/cifar.html)."""

from pathlib import Path
from typing import Tuple

import numpy as np
from allennlp.common.checks import ConfigurationError

TRAIN, TEST = "train.bin", "test.bin"

_SIDE = 32
_BYTES = 2 + 3 * _SIDE**2
"""Of an image: its coarse class, one of 20, its fine one, one of 100, and its red, green and blue, row by row."""


def is_cifar(folder: Path) -> bool:
    """Whether it is an unpacked `cifar-100-binary`."""
    return (folder / TRAIN).is_file()


def read_cifar(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """
    The images of one of its files, uint8 of shape (images, 32, 32, 3), and the number of each one's fine class.

    # Raises

    `ConfigurationError` if the file is not whole, or has other records.
    """
    content = np.fromfile(path, dtype=np.uint8)
    if not len(content) or len(content) % _BYTES:
        raise ConfigurationError(
            f"images: {path} has {len(content):,} bytes; CIFAR-100's binary version has {_BYTES:,} an image: two "
            f"classes and 3 x {_SIDE} x {_SIDE} colours"
        )
    records = content.reshape(-1, _BYTES)
    coarse, fine = records[:, 0], records[:, 1]
    wrong = np.flatnonzero((coarse >= 20) | (fine >= 100))
    if len(wrong):
        raise ConfigurationError(
            f"images: {path}: image {wrong[0] + 1} has the classes {coarse[wrong[0]]} and {fine[wrong[0]]}; of "
            "CIFAR-100 they are below 20 and below 100"
        )
    # Shape: (images, colours, rows, columns) -> (images, rows, columns, colours)
    pixels = records[:, 2:].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(pixels), fine.astype(np.int64)
