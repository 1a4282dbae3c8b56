from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import ResNetConfig, ResNetModel, ViTConfig, ViTModel

from attribution.encoders import ImageEncoder
from tests.encoders.conftest import save_processor
from tests.modules.resnet_test import save_torchvision

pytest.importorskip("PIL")

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Any]:
    """name of an architecture -> a tiny random model, saved with its processor."""

    def make(name: str) -> Any:
        torch.manual_seed(0)
        sizes = dict(hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
        built: Any = (
            ViTModel(ViTConfig(image_size=8, patch_size=4, **sizes))
            if name == "vit"
            else ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic"))
        )
        built.save_pretrained(tmp_path / name)
        save_processor(tmp_path / name)
        return built.eval()

    return make


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_the_mean_over_places(name: str, model: Any, tmp_path: Path) -> None:
    pixels = torch.from_numpy(IMAGES).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        states = model(name)(pixel_values=(pixels - 0.5) / 0.5).last_hidden_state
    wanted = states.mean(1) if name == "vit" else states.mean((2, 3))
    found = ImageEncoder(str(tmp_path / name), batch_size=2).encode_images(IMAGES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_torchvisions_weights(tmp_path: Path) -> None:
    """Given what they were trained on: 256 pixels, of which 224 are cut out, in ImageNet's colours."""
    network = save_torchvision(tmp_path / "resnet.pth")
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 20, 16, 3), dtype=np.uint8)
    resized = [np.asarray(image.fromarray(each).resize((256, 320), image.Resampling.BILINEAR)) for each in pixels]
    cut = torch.from_numpy(np.stack(resized)[:, 48:272, 16:240]).permute(0, 3, 1, 2) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        wanted = network((cut - mean[:, None, None]) / deviation[:, None, None])
    encoder = ImageEncoder(str(tmp_path / "resnet.pth"))
    np.testing.assert_allclose(encoder.encode_images(pixels), wanted, atol=1e-5)
    assert len(encoder.identity["model"]["file"]) == 64
    with pytest.raises(ConfigurationError, match="no.pth: no such file"):
        ImageEncoder(str(tmp_path / "no.pth")).encode_images(pixels)


def test_grey_images_and_settings(model: Any, tmp_path: Path) -> None:
    model("resnet")
    encoder = ImageEncoder(str(tmp_path / "resnet"))
    grey = IMAGES[..., 0]
    np.testing.assert_allclose(
        encoder.encode_images(grey), encoder.encode_images(np.stack([grey] * 3, axis=3)), atol=1e-6
    )
    assert encoder.identity["type"] == "image" and encoder.identity["model"]["files"]
    with pytest.raises(ConfigurationError, match="batch_size is 0"):
        ImageEncoder("x", batch_size=0)
    (tmp_path / "resnet" / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigurationError, match="resnet: cannot be loaded"):
        ImageEncoder(str(tmp_path / "resnet")).encode_images(IMAGES)
