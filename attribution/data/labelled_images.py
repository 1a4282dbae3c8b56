"""Images and the classes that they are of."""

from pathlib import Path
from typing import List, NamedTuple, Optional

import numpy as np
from allennlp.common.checks import ConfigurationError

from attribution.common.arrays import read_arrays
from attribution.common.rows import local_file
from attribution.data.formats.cifar import TEST, TRAIN, is_cifar, read_cifar

PARTS = ("train", "test")
"""Folders of folders of classes."""


class LabelledImages(NamedTuple):
    """Images, each with its class."""

    images: np.ndarray
    """uint8 of shape (images, height, width, 3), or without the last where they are grey"""
    labels: np.ndarray
    """The number of each one's class. Shape: (images,)"""
    is_test: np.ndarray
    """Whether each is of the data's own test part; none is where there is no such part. Shape: (images,)"""


def image_files(path: str) -> List[Path]:
    """
    The files of `read_images`. Of a folder of images those in its folders, which are the classes: CLASS/*, or in two
    parts train/CLASS/* and test/CLASS/*. Classes and files are in the order of their names.

    # Raises

    `ConfigurationError` if there are none.
    """
    folder = Path(path)
    if not folder.is_dir():
        return [local_file(path, ".npz ")]
    if is_cifar(folder):
        return [folder / name for name in (TRAIN, TEST) if (folder / name).is_file()]
    roots = [folder / part for part in PARTS] if _has_parts(folder) else [folder]
    files = [
        file
        for root in roots
        for file in sorted(root.glob("*/*"))
        if file.is_file() and not any(name.startswith(".") for name in (file.name, file.parent.name))
    ]
    if not files:
        raise ConfigurationError(f"images: {path} has no files CLASS/IMAGE")
    return files


def read_images(path: str, size: Optional[int] = None) -> LabelledImages:
    """
    # Parameters

    path : `str`
        A .npz with `images` (images, ...) and `labels` (images,); the folder `cifar-100-binary`, unpacked; or a folder
        of images in any format that Pillow reads, CLASS/IMAGE, or train/CLASS/IMAGE and test/CLASS/IMAGE.
    size : `int`, optional
        Of a folder of images: each is made so wide and high, the shorter side by resizing, the longer by cropping. By
        default all must be of one size.

    # Raises

    `ConfigurationError`, naming the file, if these are no images.
    """
    if size is not None and size < 1:
        raise ConfigurationError(f"images: size is {size}; at least one pixel is needed")
    folder, files = Path(path), image_files(path)
    if folder.is_dir() and not is_cifar(folder):
        return _of_folder(folder, files, size)
    if size is not None:
        raise ConfigurationError(f"images: size is {size}, and {path} has pixels as they are; leave it out")
    return _of_cifar(files) if folder.is_dir() else _of_arrays(files[0])


def _has_parts(folder: Path) -> bool:
    """Those, and nothing else: they might be classes."""
    names = {each.name for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")}
    return names == set(PARTS)


def _of_cifar(files: List[Path]) -> LabelledImages:
    parts = [read_cifar(file) for file in files]
    is_test = [np.full(len(labels), file.name == TEST) for file, (_, labels) in zip(files, parts)]
    images, labels = map(np.concatenate, zip(*parts))
    return LabelledImages(images, labels, np.concatenate(is_test))


def _of_folder(folder: Path, files: List[Path], size: Optional[int]) -> LabelledImages:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigurationError("images: a folder of them needs Pillow: install the extra `images`") from error
    pixels: List[np.ndarray] = []
    for file in files:
        try:
            with Image.open(file) as image:
                if image.mode.startswith(("I", "F")):
                    raise ValueError(f"its pixels are of the mode {image.mode}, and not of 8 bits")
                coloured = image.convert("RGB")
                pixels.append(np.asarray(coloured if size is None else _square(coloured, size)))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ConfigurationError(f"images: {file} cannot be read ({error})") from error
        if pixels[-1].shape != pixels[0].shape:
            sizes = [" x ".join(map(str, each.shape[1::-1])) for each in (pixels[-1], pixels[0])]
            raise ConfigurationError(
                f"images: {file} is {sizes[0]}, and {files[0]} is {sizes[1]}; one size is needed (`size` makes them so)"
            )
    labels = np.unique(np.array([file.parent.name for file in files]), return_inverse=True)[1]
    is_test = np.array([_has_parts(folder) and file.parents[1].name == "test" for file in files])
    return LabelledImages(np.stack(pixels), labels, is_test)


def _square(image: "Image", size: int) -> "Image":  # type: ignore[name-defined] # noqa: F821
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    return image.resize((width, height)).crop((left, top, left + size, top + size))


def _of_arrays(path: Path) -> LabelledImages:
    content = read_arrays(path, ("images", "labels"), "an .npz with images and labels")
    images, labels = content["images"], content["labels"]
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not len(labels):
        raise ConfigurationError(
            f"images: {path} has labels {labels.dtype} of shape {labels.shape}; whole numbers of shape (images,) are "
            "needed"
        )
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)) or not images.size:
        raise ConfigurationError(
            f"images: {path} has {images.dtype} of shape {images.shape}; uint8 of shape (images, height, width), or "
            "that with 3 colours, is needed"
        )
    if len(images) != len(labels):
        raise ConfigurationError(f"images: {path} has {len(images)} images and {len(labels)} labels")
    return LabelledImages(images, labels, np.zeros(len(labels), dtype=bool))
