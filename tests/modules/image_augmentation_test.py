from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.image_augmentation import ImageAugmentation, rotated


@pytest.mark.parametrize("shape", [(32, 32), (9, 14)])
@pytest.mark.parametrize("degrees", [-15.0, 5.0, 10.0, 80.0, 180.0])
def test_rotations_are_those_of_pillow(degrees: float, shape: Any) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(1, 256, (*shape, 3), dtype=np.uint8)
    wanted = np.asarray(image.fromarray(pixels).rotate(degrees))
    images = torch.from_numpy(np.stack([pixels, pixels])).permute(0, 3, 1, 2).float()
    found = rotated(images, torch.tensor([degrees, 0.0])).permute(0, 2, 3, 1).numpy()
    # A pixel that comes from between two may be either.
    assert (found[0] == wanted).all(2).mean() > 0.99
    np.testing.assert_array_equal(found[1], pixels)


def test_a_cut_of_the_padded_image_mirrored_or_not() -> None:
    """Slowly: each is one of the 2 x 25 that there can be, and all of these come."""
    image = torch.arange(1.0, 25).reshape(1, 2, 3, 4)
    padded = np.pad(image[0].numpy(), ((0, 0), (2, 2), (2, 2)))
    possible = {}
    for top in range(5):
        for left in range(5):
            cut = padded[:, top : top + 3, left : left + 4]
            possible[cut.tobytes()] = (top, left, False)
            possible[np.ascontiguousarray(cut[:, :, ::-1]).tobytes()] = (top, left, True)
    torch.manual_seed(0)
    made = ImageAugmentation(padding=2, degrees=0)(image.expand(2000, -1, -1, -1))
    places = [possible[each.numpy().tobytes()] for each in made]
    assert len(set(places)) == 50
    assert np.mean([mirrored for _, _, mirrored in places]) == pytest.approx(0.5, abs=0.05)
    torch.manual_seed(0)
    assert torch.equal(made, ImageAugmentation(padding=2, degrees=0)(image.expand(2000, -1, -1, -1)))


def test_each_image_has_an_angle_of_its_own() -> None:
    line = torch.zeros(300, 1, 41, 41)
    line[:, :, 20, 20:] = 1
    torch.manual_seed(1)
    made = ImageAugmentation(padding=0, mirrored=0.0)(line)
    # Where the line's far end is, above the middle or below.
    rise = np.array([20 - np.argwhere(each[0].numpy())[-1][0] for each in made])
    ends = np.array([np.argwhere(each[0, :, 35].numpy()).mean() for each in made]) - 20
    angles = -np.degrees(np.arctan2(ends, 15))
    assert np.abs(angles).max() < 17 and angles.min() < -12 and angles.max() > 12 and len(set(rise)) > 5


def test_nothing_is_done() -> None:
    images = torch.rand(3, 3, 5, 5)
    assert torch.equal(ImageAugmentation(padding=0, mirrored=0.0, degrees=0.0)(images), images)


@pytest.mark.parametrize("settings", [{"padding": -1}, {"mirrored": 1.5}, {"degrees": 200.0}])
def test_bad_settings(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match="augmentation: padding is"):
        ImageAugmentation(**settings)
