"""The images that have a row each in stored features."""

from hashlib import sha256
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import fingerprint
from attribution.data.agent_split import AgentSplit, AgentSplitter, of_classes
from attribution.data.labelled_images import image_files, read_images
from attribution.modules.image_augmentation import rotated

PROBE, TASKS = "probe", "tasks"


class ImageRows(FromParams):
    """
    # Parameters

    path : `str`
        See `read_images`.
    size : `int`, optional
        The same.
    split : `AgentSplitter`, optional
        How the images are shared out between agents and new tasks.
    part : `str`, optional
        Of the split: `probe`, the images by which agents are compared, or `tasks`, those of the new tasks' classes, to
        train their heads on and to test them on. By default all images.
    rotations : `List[float]`, optional
        By so many degrees, counter-clockwise: all images once for each. By default they stay as they are.
    """

    def __init__(
        self,
        path: str,
        size: Optional[int] = None,
        split: Optional[AgentSplitter] = None,
        part: Optional[str] = None,
        rotations: Optional[List[float]] = None,
    ) -> None:
        if (split is None) != (part is None) or part not in (None, PROBE, TASKS):
            raise ConfigurationError(
                f"images: part is {part!r}; of a split it is probe or tasks, without one it is none"
            )
        self.files = image_files(path)
        self._images, self.all_labels, is_test = read_images(path, size)
        self.rotations = [0.0] if rotations is None else rotations
        if not self.rotations:
            raise ConfigurationError("images: rotations is empty; 0 stands for an image as it is")
        self.parts = split.split(self.all_labels, is_test) if split else None
        numbers = np.arange(len(self.all_labels)) if self.parts is None else _rows(self.parts, part, self.all_labels)
        self.numbers = numbers
        """Of the images as they are read, those that have rows, in order."""
        # Shape: (rows,)
        self.labels = np.tile(self.all_labels[self.numbers], len(self.rotations))
        settings = {
            "size": size,
            "split": vars(split) if split else None,
            "part": part,
            "rotations": rotations,
        }
        self._settings = {name: value for name, value in settings.items() if value is not None}

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def identity(self) -> Dict[str, Any]:
        """What the rows are of."""
        digest = sha256("".join(fingerprint(file)["sha256"] for file in self.files).encode())
        return {"images": digest.hexdigest(), **self._settings}

    def take(self, first: int, end: int) -> np.ndarray:
        """The images of these rows. uint8. Shape: (end - first, height, width, 3), or without the last"""
        turns, places = np.divmod(np.arange(first, end), len(self.numbers))
        images = self._images[self.numbers[places]]
        degrees = torch.tensor(self.rotations)[torch.from_numpy(turns)]
        if not degrees.any():
            return images
        # Shape: (rows, colours, height, width)
        pixels = torch.from_numpy(images if images.ndim == 4 else images[..., None]).permute(0, 3, 1, 2)
        turned = rotated(pixels.float(), degrees).permute(0, 2, 3, 1).byte().numpy()
        return turned.reshape(images.shape)


def _rows(split: AgentSplit, part: Optional[str], labels: np.ndarray) -> np.ndarray:
    if part == PROBE:
        return np.sort(split.probe)
    classes = np.unique(np.concatenate(split.tasks))
    return np.sort(np.concatenate([of_classes(rows, labels, classes) for rows in (split.shots, split.test)]))
