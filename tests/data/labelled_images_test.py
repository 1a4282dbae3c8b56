from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.labelled_images import image_files, read_images
from tests.data.conftest import write_cifar

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 3 x 2 pixels, of which one image is grey."""
    for number, (kind, mode) in enumerate((("dog", "RGB"), ("cat", "RGB"), ("cat", "L"))):
        (tmp_path / kind).mkdir(exist_ok=True)
        Image.new(mode, (3, 2), color=number * 10).save(tmp_path / kind / f"{number}.png")
    (tmp_path / "cat" / ".hidden").touch()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    Image.new("L", (3, 2)).save(tmp_path / ".ipynb_checkpoints" / "0.png")
    (tmp_path / "README").touch()
    return tmp_path


def test_a_folder_of_classes(folder: Path) -> None:
    files = image_files(str(folder))
    assert [f"{file.parent.name}/{file.name}" for file in files] == ["cat/1.png", "cat/2.png", "dog/0.png"]
    images, labels, is_test = read_images(str(folder))
    assert (
        labels.tolist() == [0, 0, 1] and not is_test.any() and images.shape == (3, 2, 3, 3) and images.dtype == np.uint8
    )
    assert (images[1] == 20).all() and (images[2] == 0).all()


def test_images_of_16_bits_are_refused(folder: Path) -> None:
    """Pillow would make them all white."""
    Image.fromarray(np.full((2, 3), 30_000, np.uint16)).save(folder / "dog" / "deep.png")
    with pytest.raises(ConfigurationError, match="deep.png cannot be read .its pixels are of the mode I"):
        read_images(str(folder))


def test_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", images=np.arange(8, dtype=np.uint8).reshape(2, 2, 2), labels=np.array([3, 1]))
    images, labels, is_test = read_images(str(tmp_path / "two.npz"))
    assert images.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]] and labels.tolist() == [3, 1]
    assert is_test.tolist() == [False, False]


def test_a_folder_in_two_parts(tmp_path: Path) -> None:
    for part, kind, grey in (("train", "cat", 1), ("train", "dog", 2), ("test", "dog", 3)):
        (tmp_path / part / kind).mkdir(parents=True)
        Image.new("L", (2, 2), color=grey).save(tmp_path / part / kind / "0.png")
    images, labels, is_test = read_images(str(tmp_path))
    assert images[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert labels.tolist() == [0, 1, 1] and is_test.tolist() == [False, False, True]


def test_the_two_files_of_cifar(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    write_cifar(tmp_path / "cifar", pixels[:3], [4, 2, 4])
    write_cifar(tmp_path / "cifar", pixels[3:], [2, 4], "test.bin")
    (tmp_path / "cifar" / "fine_label_names.txt").write_text("apple\n")
    images, labels, is_test = read_images(str(tmp_path / "cifar"))
    np.testing.assert_array_equal(images, pixels)
    assert labels.tolist() == [4, 2, 4, 2, 4] and is_test.tolist() == [False] * 3 + [True] * 2
    assert [file.name for file in image_files(str(tmp_path / "cifar"))] == ["train.bin", "test.bin"]
    with pytest.raises(ConfigurationError, match="size is 8, and .*cifar has pixels as they are"):
        read_images(str(tmp_path / "cifar"), 8)


def test_images_of_different_sizes(tmp_path: Path) -> None:
    """The shorter side is resized, the longer one cut on both ends."""
    (tmp_path / "cat").mkdir()
    stripes = np.zeros((10, 40, 3), np.uint8)
    stripes[:, 16:24] = 200
    Image.fromarray(stripes).save(tmp_path / "cat" / "0.png")
    Image.new("L", (5, 6), color=9).save(tmp_path / "cat" / "1.png")
    images, _, _ = read_images(str(tmp_path), 5)
    assert images.shape == (2, 5, 5, 3) and (images[1] == 9).all()
    assert images[0, 2, :, 0].argmax() == 2 and images[0, 2, 0, 0] < 100  # The middle is where it was.
    with pytest.raises(ConfigurationError, match="size is 0"):
        read_images(str(tmp_path), 0)


def test_what_are_no_images(folder: Path) -> None:
    Image.new("RGB", (4, 2)).save(folder / "dog" / "5.png")
    with pytest.raises(
        ConfigurationError, match=r"5.png is 4 x 2, and .*1.png is 3 x 2; one size is needed .`size` makes"
    ):
        read_images(str(folder))
    (folder / "cat" / "3.png").write_bytes(b"no image")
    with pytest.raises(ConfigurationError, match="3.png cannot be read"):
        read_images(str(folder))
    with pytest.raises(ConfigurationError, match="has no files CLASS/IMAGE"):
        image_files(str(folder / "cat"))


@pytest.mark.parametrize(
    "content, message",
    [
        ({"images": np.ones((3, 2, 2), np.uint8)}, "labels"),
        ({"images": np.ones((3, 2, 2), np.uint8), "labels": np.ones(3)}, "has labels float64 of shape"),
        ({"images": np.ones((3, 2, 2), np.uint8), "labels": np.arange(4)}, "has 3 images and 4 labels"),
        ({"images": np.ones((3, 2, 2)), "labels": np.arange(3)}, "has float64 of shape .3, 2, 2.; uint8 of shape"),
        ({"images": np.ones((3, 2, 2, 4), np.uint8), "labels": np.arange(3)}, "has uint8 of shape .3, 2, 2, 4."),
    ],
)
def test_arrays_of_something_else(content: Any, message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", **content)
    with pytest.raises(ConfigurationError, match=message):
        read_images(str(tmp_path / "other.npz"))
