"""Images and the classes that they are of."""

from pathlib import Path
from typing import List, NamedTuple

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_arrays
from attribution.common.rows import local_file

_LARGEST = 65_535
"""Of pixels of 16 bits."""


class LabelledImages(NamedTuple):
    """Images, each with its class."""

    images: np.ndarray
    """As they are stored: numbers of shape (images, ...); of a folder (images, height, width, 3), uint8"""
    labels: np.ndarray
    """The number of each one's class. Shape: (images,)"""


def image_files(path: str) -> List[Path]:
    """
    The file, or of a folder those in its folders, which are the classes: CLASS/*. Classes and files are in the order of
    their names.

    # Raises

    `ConfigurationError` if there are none.
    """
    folder = Path(path)
    if not folder.is_dir():
        return [local_file(path, ".npz ")]
    files = [file for file in sorted(folder.glob("*/*")) if file.is_file() and not file.name.startswith(".")]
    if not files:
        raise ConfigurationError(f"images: {path} has no files CLASS/IMAGE")
    return files


def read_images(path: str) -> LabelledImages:
    """
    Of a .npz with `images` (images, ...) and `labels` (images,), or a folder of images in any format that Pillow reads,
    all of one size.

    # Raises

    `ConfigurationError`, naming the file, if these are no images.
    """
    return _of_folder(image_files(path)) if Path(path).is_dir() else _of_arrays(image_files(path)[0])


def _of_folder(files: List[Path]) -> LabelledImages:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigurationError("images: a folder of them needs Pillow: install the extra `images`") from error
    pixels: List[np.ndarray] = []
    for file in files:
        try:
            with Image.open(file) as image:
                pixels.append(np.asarray(image.convert("RGB")))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ConfigurationError(f"images: {file} cannot be read ({error})") from error
        if pixels[-1].shape != pixels[0].shape:
            sizes = [" x ".join(map(str, each.shape[1::-1])) for each in (pixels[-1], pixels[0])]
            raise ConfigurationError(f"images: {file} is {sizes[0]}, and {files[0]} is {sizes[1]}; one size is needed")
    labels = np.unique(np.array([file.parent.name for file in files]), return_inverse=True)[1]
    return LabelledImages(np.stack(pixels), labels)


def _of_arrays(path: Path) -> LabelledImages:
    content = read_arrays(path, ("images", "labels"), "an .npz with images and labels")
    images, labels = content["images"], content["labels"]
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or images.dtype.kind not in "iuf" or images.ndim < 2:
        raise ConfigurationError(
            f"images: {path} has images {images.dtype} of shape {images.shape} and labels {labels.dtype} of shape "
            f"{labels.shape}; numbers of shape (images, ...) and whole numbers of shape (images,) are needed"
        )
    if len(images) != len(labels) or not images.size:
        raise ConfigurationError(f"images: {path} has {len(images)} images ({images.shape}) and {len(labels)} labels")
    if not (images.min() >= -_LARGEST and images.max() <= _LARGEST):
        raise ConfigurationError(f"images: {path} has a value that is no pixel's: NaN, or beyond {_LARGEST:,}")
    return LabelledImages(images, labels)
