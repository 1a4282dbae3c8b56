"""Of which class an image is: what agents that know some classes are."""

from pathlib import Path
from typing import Any, Dict, Optional

import torch
import torch.nn.functional as F
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models.model import Model
from allennlp.training.metrics import CategoricalAccuracy
from transformers import AutoModelForImageClassification

from attribution.common.pretrained import is_head, load_pretrained
from attribution.modules.image_augmentation import ImageAugmentation
from attribution.modules.resnet import TORCHVISION, SmallImageResNetConfig, load_torchvision, new_resnet

_NAMESPACE = "labels"


@Model.register("image_classifier")
class ImageClassifier(Model):
    """
    A ResNet of transformers, trained on the cross-entropy of the images' classes: an agent of Huang, Qiu and Church
    (NeurIPS 2021). The callback `image_statistics` says by what images are normalised, `save_transformer` saves it for
    the encoder of images.

    Registered as a `Model` with name "image_classifier".

    # Parameters

    vocab : `Vocabulary`
        Its "labels" are the classes.
    architecture : `str`, optional (default = `"resnet50"`)
        `resnet18`, `resnet34`, `resnet50`, `resnet101` or `resnet152`, untrained.
    small_images : `bool`, optional (default = `True`)
        The first layer is 3 x 3, without stride and pooling, as usual for the 32 pixels of CIFAR; else 7 x 7 with both.
    network : `Dict[str, Any]`, optional
        Settings of `ResNetConfig` in the place of the architecture's: `{"depths": [1, 1], "hidden_sizes": [16, 32]}`.
    model_name : `str`, optional
        Instead of the three: a trained ResNet to go on from, a hub id, a folder, or a file of torchvision's weights
        (.pth); the layer that says the class is made anew.
    augmentation : `ImageAugmentation`, optional
        What is done to images in training. By default nothing.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        architecture: Optional[str] = None,
        small_images: Optional[bool] = None,
        network: Optional[Dict[str, Any]] = None,
        model_name: Optional[str] = None,
        augmentation: Optional[ImageAugmentation] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocab, **kwargs)
        classes = vocab.get_vocab_size(_NAMESPACE)
        new = {"architecture": architecture, "small_images": small_images, "network": network}
        given = [name for name, value in new.items() if value is not None]
        if model_name is not None and given:
            raise ConfigurationError(f"{given[0]}: model_name is there, too, which says what the network is")
        if model_name is None:
            settings = _checked(network or {})
            self.transformer: Any = new_resnet(
                architecture or "resnet50", classes, small_images is not False, **settings
            )
        else:
            self.transformer = _pretrained(model_name, classes)
        self.augmentation = augmentation
        self._accuracy = CategoricalAccuracy()
        # Shapes: (3,)
        self.mean: torch.Tensor
        self.deviation: torch.Tensor
        self.register_buffer("mean", torch.full((3,), 0.5))
        self.register_buffer("deviation", torch.full((3,), 0.5))

    def set_statistics(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        """Of colours from 0 to 1; one that is the same everywhere is divided by 1. Shapes: (3,)"""
        self.mean.copy_(mean)
        self.deviation.copy_(torch.where(deviation == 0, 1, deviation))

    @property
    def preprocessing(self) -> Dict[str, Any]:
        """The `preprocessor_config.json` by which transformers gives the network what it was trained on."""
        return {
            "image_processor_type": "ViTImageProcessor",
            "do_resize": False,
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": self.mean.tolist(),
            "image_std": self.deviation.tolist(),
        }

    def forward(  # type: ignore[override]
        self, image: torch.Tensor, label: Optional[torch.Tensor] = None
    ) -> Dict[str, torch.Tensor]:
        """
        # Parameters

        image : `torch.Tensor`
            uint8. Shape: (batch, height, width, 3), or without the last where they are grey
        label : `torch.Tensor`, optional
            Shape: (batch,)

        # Returns

        `logits` (batch, classes), and with labels `loss`.
        """
        if image.ndim == 3:
            image = image[..., None].expand(-1, -1, -1, 3)
        pixels = image.permute(0, 3, 1, 2).float()
        if self.training and self.augmentation is not None:
            pixels = self.augmentation(pixels)
        pixels = (pixels / 255 - self.mean[:, None, None]) / self.deviation[:, None, None]
        output = {"logits": self.transformer(pixel_values=pixels).logits}
        if label is not None:
            output["loss"] = F.cross_entropy(output["logits"], label)
            self._accuracy(output["logits"], label)
        return output

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        return {"accuracy": self._accuracy.get_metric(reset)}


def _checked(network: Dict[str, Any]) -> Dict[str, Any]:
    known = ("layer_type", "hidden_sizes", "depths", "embedding_size")
    for name in network:
        if name not in known:
            raise ConfigurationError(f"network.{name}: there is no such setting; there are {', '.join(known)}")
    return network


def _pretrained(model_name: str, classes: int) -> Any:
    if model_name.endswith(TORCHVISION):
        network: Any = load_torchvision(Path(model_name))
    else:
        network = load_pretrained(AutoModelForImageClassification, model_name, may_lack=is_head)
    if network.config.model_type not in ("resnet", SmallImageResNetConfig.model_type):
        raise ConfigurationError(f"model_name {model_name}: is a {type(network).__name__}; a ResNet is needed")
    network.classifier[-1] = torch.nn.Linear(network.classifier[-1].in_features, classes)
    network.config.num_labels = classes
    return network
