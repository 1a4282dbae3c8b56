from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Vocabulary
from allennlp.models import Model
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTForImageClassification

from attribution.data.dataset_readers import LabelledImagesReader
from tests.modules.resnet_test import save_torchvision

TINY = {"layer_type": "basic", "hidden_sizes": [8, 12], "depths": [1, 1], "embedding_size": 6}
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
LABELS = ["3", "5", "9", "3", "5", "9"]


def _vocabulary() -> Vocabulary:
    return Vocabulary(tokens_to_add={"labels": ["3", "5", "9"]})


def _model(**settings: Any) -> Any:
    torch.manual_seed(0)
    return Model.from_params(Params({"type": "image_classifier", **settings}), vocab=_vocabulary())


def _batch(images: np.ndarray) -> Any:
    reader = LabelledImagesReader()
    batch = Batch([reader.text_to_instance(image, label) for image, label in zip(images, LABELS)])
    batch.index_instances(_vocabulary())
    return batch.as_tensor_dict()


@torch.no_grad()
def test_loss_and_accuracy_of_normalised_images() -> None:
    model = _model(network=dict(TINY)).eval()
    mean, deviation = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.4, 0.5, 0.0])
    model.set_statistics(mean, deviation)
    output = model(**_batch(IMAGES))
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255
    for colour, (middle, width) in enumerate([(0.1, 0.4), (0.2, 0.5), (0.3, 1)]):
        pixels[:, colour] = (pixels[:, colour] - middle) / width
    logits = model.transformer(pixel_values=pixels).logits
    torch.testing.assert_close(output["logits"], logits)
    gold = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(output["loss"], -logits.log_softmax(1)[torch.arange(6), gold].mean())
    assert model.get_metrics(reset=True) == {"accuracy": float((logits.argmax(1) == gold).double().mean())}
    assert model.preprocessing["image_mean"] == pytest.approx([0.1, 0.2, 0.3])
    grey = _batch(IMAGES[..., 0])
    three = _batch(np.stack([IMAGES[..., 0]] * 3, axis=3))
    torch.testing.assert_close(model(**grey)["logits"], model(**three)["logits"])


@torch.no_grad()
def test_augmented_in_training_only() -> None:
    model = _model(network=dict(TINY), augmentation={"padding": 2})
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0
    batch = _batch(IMAGES)
    one, other = model(**batch)["loss"], model(**batch)["loss"]
    assert not torch.equal(one, other)
    model.augmentation = None
    assert torch.equal(model(**batch)["loss"], model(**batch)["loss"])
    model = _model(network=dict(TINY), augmentation={}).eval()
    assert torch.equal(model(**batch)["loss"], model(**batch)["loss"])


@torch.no_grad()
@pytest.mark.parametrize("kind", ["torchvision", "folder"])
def test_from_a_trained_network(kind: str, tmp_path: Path) -> None:
    """All of it but the last layer, which has as many classes as there are."""
    if kind == "torchvision":
        path = tmp_path / "resnet.pth"
        weight = save_torchvision(path).state_dict()["layer2.0.conv2.weight"]
    else:
        path = tmp_path / "resnet"
        body = ResNetModel(ResNetConfig(**TINY))  # type: ignore[arg-type]
        body.save_pretrained(path)
        weight = body.encoder.stages[1].layers[0].layer[1].convolution.weight
    model = _model(model_name=str(path)).eval()
    assert torch.equal(model.transformer.resnet.encoder.stages[1].layers[0].layer[1].convolution.weight, weight)
    assert model(**_batch(IMAGES))["logits"].shape == (6, 3) and model.transformer.config.num_labels == 3


def test_bad_settings(tmp_path: Path) -> None:
    ViTForImageClassification(
        ViTConfig(image_size=8, patch_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    ).save_pretrained(tmp_path / "vit")
    for settings, message in (
        ({"model_name": "x", "small_images": True}, "small_images: model_name is there, too"),
        ({"network": {"width": 3}}, "network.width: there is no such setting; there are layer_type, hidden_sizes"),
        ({"architecture": "vgg"}, "architecture: 'vgg' is none of"),
        ({"model_name": str(tmp_path / "vit")}, "vit: is a ViTForImageClassification; a ResNet is needed"),
        ({"model_name": str(tmp_path / "no.pth")}, "no.pth: no state dict"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            _model(**settings)
