"""What images are normalised by."""

from typing import Any

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.training import TrainerCallback


@TrainerCallback.register("image_statistics")
class ImageStatistics(TrainerCallback):
    """
    Before training, gives an `image_classifier` the mean and the deviation of each colour over the pixels of all
    training images, which it normalises images by from then on.

    Registered as a `TrainerCallback` with name "image_statistics".

    # Parameters

    serialization_dir : `str`
        AllenNLP gives it.
    """

    def __init__(self, serialization_dir: str) -> None:
        super().__init__(serialization_dir)

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        super().on_start(trainer, is_primary, **kwargs)
        if not hasattr(trainer.model, "set_statistics"):
            raise ConfigurationError("image_statistics: the model does not normalise images; image_classifier does")
        # Of grey images all three are the same. Shapes: (3,)
        count, sums, squares = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        for instance in trainer.data_loader.iter_instances():
            pixels = instance["image"].tensor.double() / 255
            pixels = pixels.reshape(-1, pixels.shape[2]) if pixels.ndim == 3 else pixels.reshape(-1, 1)
            count, sums, squares = count + len(pixels), sums + pixels.sum(0), squares + (pixels**2).sum(0)
        mean = sums / count
        trainer.model.set_statistics(mean, (squares / count - mean**2).clamp(min=0).sqrt())
