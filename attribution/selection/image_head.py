"""What can be read off frozen features of images by one linear layer."""

from typing import Iterator, List, Optional, Tuple

import numpy as np
import torch
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError


class ImageHead(FromParams):
    """
    A linear layer over features as they are, trained on the cross-entropy by plain SGD, as Huang, Qiu and Church
    (NeurIPS 2021) train theirs.

    # Parameters

    epochs : `int`, optional (default = `1500`)
    learning_rate : `float`, optional (default = `0.1`)
    milestones : `List[int]`, optional (default = `[5, 20]`)
        After so many epochs, each time, a tenth of the rate is left.
    batch_size : `int`, optional (default = `128`)
    select_on : `str`, optional (default = `"last"`)
        Which epoch counts: the `last`, or as published the best one on the `test` images themselves.
    seed : `int`, optional (default = `0`)
        Of the layer, and of the images' order in each epoch.
    """

    def __init__(
        self,
        epochs: int = 1500,
        learning_rate: float = 0.1,
        milestones: Optional[List[int]] = None,
        batch_size: int = 128,
        select_on: str = "last",
        seed: int = 0,
    ) -> None:
        if min(epochs, batch_size) < 1 or not 0 < learning_rate < float("inf"):
            raise ConfigurationError(
                f"head: epochs is {epochs}, batch_size {batch_size}, learning_rate {learning_rate}; at least 1, and a "
                "number above 0, are needed"
            )
        if select_on not in ("last", "test"):
            raise ConfigurationError(f"head.select_on is {select_on!r}; last and test are possible")
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.milestones = [5, 20] if milestones is None else milestones
        self.batch_size = batch_size
        self.select_on = select_on
        self.seed = seed

    def accuracy(
        self, features: np.ndarray, labels: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray
    ) -> float:
        """
        On the test images. Shapes: (images, width), (images,), and the same of those to test on

        # Raises

        `ConfigurationError` if training does not converge to numbers.
        """
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        classes, targets = np.unique(labels, return_inverse=True)
        # A class that was not trained on is none that is predicted.
        places = np.searchsorted(classes, test_labels).clip(max=len(classes) - 1)
        wanted = _on(device, np.where(classes[places] == test_labels, places, -1))
        tests = _on(device, test_features)
        gold = torch.eye(len(classes), device=device)[_on(device, targets)]
        accuracy = 0.0
        for epoch, (weight, bias) in enumerate(self._epochs(_on(device, features), gold), start=1):
            if epoch == self.epochs or self.select_on == "test":
                logits = torch.addmm(bias, tests, weight.T)
                accuracy = max(accuracy, float((logits.argmax(1) == wanted).double().mean()))
        if not weight.isfinite().all():
            raise ConfigurationError(f"head: has no finite weights at learning_rate {self.learning_rate}; lower it")
        return accuracy

    def _epochs(self, features: torch.Tensor, gold: torch.Tensor) -> Iterator[Tuple[torch.Tensor, torch.Tensor]]:
        """After each epoch weight and bias. Shapes: (images, width), (images, classes); (classes, width), (classes,)"""
        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            layer = torch.nn.Linear(features.size(1), gold.size(1)).to(features.device)
        weight, bias = layer.weight.detach(), layer.bias.detach()
        for epoch in range(self.epochs):
            rate = self.learning_rate * 0.1 ** sum(epoch >= milestone for milestone in self.milestones)
            for batch in torch.randperm(len(gold), generator=generator).to(gold.device).split(self.batch_size):
                # The gradient of the cross-entropy by the logits, in closed form. Shape: (batch, classes)
                error = torch.addmm(bias, features[batch], weight.T).softmax(1) - gold[batch]
                weight.addmm_(error.T, features[batch], alpha=-rate / len(batch))
                bias.sub_(error.mean(0), alpha=rate)
            yield weight, bias


def _on(device: torch.device, values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.int64 if values.dtype.kind in "iu" else np.float32)).to(device)
