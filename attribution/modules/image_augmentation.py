"""Images cropped, mirrored and rotated, many at once."""

from math import pi

import torch
import torch.nn.functional as F
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError


class ImageAugmentation(FromParams):
    """
    What is done to images in training, each in its own random way, in this order. What was outside is black.

    # Parameters

    padding : `int`, optional (default = `4`)
        So many black pixels are added on each side, and the image's own size is cut out of that anywhere.
    mirrored : `float`, optional (default = `0.5`)
        The share of images that are, left and right.
    degrees : `float`, optional (default = `15.0`)
        Rotated by any angle up to so much, one way or the other.
    """

    def __init__(self, padding: int = 4, mirrored: float = 0.5, degrees: float = 15.0) -> None:
        if padding < 0 or not 0 <= mirrored <= 1 or not 0 <= degrees <= 180:
            raise ConfigurationError(
                f"augmentation: padding is {padding}, mirrored {mirrored}, degrees {degrees}; 0 or more, a share from "
                "0 to 1, and 0 to 180 are needed"
            )
        self.padding = padding
        self.mirrored = mirrored
        self.degrees = degrees

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Floats. Shape: (images, colours, height, width), to the same"""
        images = self._cropped(images)
        mirrored = (torch.rand(len(images)) < self.mirrored).to(images.device)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        return rotated(images, (torch.rand(len(images)) * 2 - 1) * self.degrees)

    def _cropped(self, images: torch.Tensor) -> torch.Tensor:
        count, colours, height, width = images.shape
        # Shapes: (images, 1, height, 1), (images, 1, 1, width)
        tops, lefts = torch.randint(2 * self.padding + 1, (2, count, 1, 1, 1))
        rows, columns = tops + torch.arange(height)[:, None], lefts + torch.arange(width)
        padded = F.pad(images, [self.padding] * 4)
        image = torch.arange(count)[:, None, None, None]
        return padded[image, torch.arange(colours)[:, None, None], rows, columns]


def rotated(images: torch.Tensor, degrees: torch.Tensor) -> torch.Tensor:
    """
    Each counter-clockwise about its middle, a pixel being the nearest one that was there, or black.

    Shapes: (images, colours, height, width), floats, and (images,)
    """
    height, width = images.shape[2:]
    angles = degrees.to(images) * (pi / 180)
    sine, cosine, none = angles.sin(), angles.cos(), torch.zeros_like(angles)
    # Where a pixel comes from; sides go from -1 to 1. Shape: (images, 2, 3)
    places = torch.stack(
        [
            torch.stack([cosine, -sine * height / width, none], 1),
            torch.stack([sine * width / height, cosine, none], 1),
        ],
        1,
    )
    grid = F.affine_grid(places, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)
