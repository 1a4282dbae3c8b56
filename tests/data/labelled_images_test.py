from pathlib import Path

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.labelled_images import image_files, read_images

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 3 x 2 pixels, of which one image is grey."""
    for number, (kind, mode) in enumerate((("dog", "RGB"), ("cat", "RGB"), ("cat", "L"))):
        (tmp_path / kind).mkdir(exist_ok=True)
        Image.new(mode, (3, 2), color=number * 10).save(tmp_path / kind / f"{number}.png")
    (tmp_path / "cat" / ".hidden").touch()
    (tmp_path / "README").touch()
    return tmp_path


def test_a_folder_of_classes(folder: Path) -> None:
    files = image_files(str(folder))
    assert [f"{file.parent.name}/{file.name}" for file in files] == ["cat/1.png", "cat/2.png", "dog/0.png"]
    images, labels = read_images(str(folder))
    assert labels.tolist() == [0, 0, 1] and images.shape == (3, 2, 3, 3) and images.dtype == np.uint8
    assert (images[1] == 20).all() and (images[2] == 0).all()


def test_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", images=np.arange(8, dtype=np.uint8).reshape(2, 2, 2), labels=np.array([3, 1]))
    images, labels = read_images(str(tmp_path / "two.npz"))
    assert images.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]] and labels.tolist() == [3, 1]


def test_what_are_no_images(folder: Path) -> None:
    Image.new("RGB", (4, 2)).save(folder / "dog" / "5.png")
    with pytest.raises(ConfigurationError, match=r"5.png is 4 x 2, and .*1.png is 3 x 2; one size is needed"):
        read_images(str(folder))
    (folder / "cat" / "3.png").write_bytes(b"no image")
    with pytest.raises(ConfigurationError, match="3.png cannot be read"):
        read_images(str(folder))
    with pytest.raises(ConfigurationError, match="has no files CLASS/IMAGE"):
        image_files(str(folder / "cat"))
