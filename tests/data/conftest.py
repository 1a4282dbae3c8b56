from pathlib import Path
from typing import Sequence

import numpy as np


def write_cifar(folder: Path, images: np.ndarray, labels: Sequence[int], name: str = "train.bin") -> Path:
    """A file of CIFAR-100's binary version, byte by byte. Shape: (images, 32, 32, 3)"""
    folder.mkdir(exist_ok=True)
    content = bytearray()
    for image, label in zip(images, labels):
        content += bytes([0, label])
        for colour in range(3):
            content += bytes(image[:, :, colour].reshape(-1).tolist())
    (folder / name).write_bytes(content)
    return folder / name
