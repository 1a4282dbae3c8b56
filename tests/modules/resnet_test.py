"""Parity with networks that are built here, layer by layer, under torchvision's names."""

from pathlib import Path
from typing import Any, List, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from torch import nn
from transformers import AutoModel, AutoModelForImageClassification

from attribution.common.pretrained import load_pretrained
from attribution.modules.resnet import ARCHITECTURES, SmallImageResNetModel, load_torchvision, new_resnet


class _Block(nn.Module):
    """With two 3 x 3 convolutions, or a 3 x 3 one, which has the stride, between two of 1 x 1."""

    def __init__(self, before: int, width: int, after: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        widths, sizes, strides = [before, width, after], [3, 3], [stride, 1]
        if bottleneck:
            widths, sizes, strides = [before, width, width, after], [1, 3, 1], [1, stride, 1]
        self.depth = len(sizes)
        for number, (one, other, size, step) in enumerate(zip(widths, widths[1:], sizes, strides), start=1):
            setattr(self, f"conv{number}", nn.Conv2d(one, other, size, step, size // 2, bias=False))
            setattr(self, f"bn{number}", nn.BatchNorm2d(other))
        self.downsample: Optional[Any] = None
        if before != after or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for number in range(1, self.depth + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = y.relu() if number < self.depth else y
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class _ResNet(nn.Module):
    def __init__(self, widths: List[int], depths: List[int], bottleneck: bool, first: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, first, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        before = first
        for stage, (width, depth) in enumerate(zip(widths, depths), start=1):
            blocks = []
            for block in range(depth):
                after = width * (4 if bottleneck else 1)
                blocks.append(_Block(before, width, after, 2 if stage > 1 and block == 0 else 1, bottleneck))
                before = after
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.stages = len(widths)
        self.fc = nn.Linear(before, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


def save_torchvision(path: Path, bottleneck: bool = False) -> nn.Module:
    """A tiny network with its weights under torchvision's names, in `path`."""
    torch.manual_seed(0)
    network = _ResNet([8, 12], [2, 1], bottleneck)
    for name, buffer in network.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    torch.save(network.state_dict(), path)
    return network.eval()


@pytest.mark.parametrize("bottleneck", [False, True])
@torch.no_grad()
def test_logits_of_torchvisions_weights(bottleneck: bool, tmp_path: Path) -> None:
    network = save_torchvision(tmp_path / "resnet.pth", bottleneck)
    loaded = load_torchvision(tmp_path / "resnet.pth")
    images = torch.randn(3, 3, 40, 33)
    torch.testing.assert_close(loaded(pixel_values=images).logits, network(images), rtol=0, atol=1e-5)
    # Files of before 2018 do not count batches.
    old = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
    torch.save(old, tmp_path / "old.pth")
    assert torch.equal(load_torchvision(tmp_path / "old.pth")(images).logits, loaded(images).logits)


def test_the_published_sizes() -> None:
    """The numbers of weights that torchvision states for a thousand classes."""
    wanted = {"resnet18": 11_689_512, "resnet34": 21_797_672, "resnet50": 25_557_032}
    wanted |= {"resnet101": 44_549_160, "resnet152": 60_192_808}
    with torch.device("meta"):
        found = {
            name: sum(each.numel() for each in new_resnet(name, 1000, False).parameters()) for name in ARCHITECTURES
        }
    assert found == wanted


@torch.no_grad()
def test_of_small_images_the_first_layer_keeps_all_places(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiny = {"hidden_sizes": [8, 12], "depths": [1, 1], "embedding_size": 6}
    network = new_resnet("resnet18", 4, True, **tiny).eval()
    images = torch.randn(2, 3, 8, 8)
    stem = network.resnet.embedder
    convolution = nn.functional.conv2d(images, stem.embedder.convolution.weight, padding=1)
    torch.testing.assert_close(stem(images), stem.embedder.normalization(convolution).relu())
    assert network.resnet(images).last_hidden_state.shape == (2, 12, 4, 4)
    # By fans the deviation is (2 / (6 * 9)) ** .5.
    assert stem.embedder.convolution.weight.std() == pytest.approx((2 / 54) ** 0.5, rel=0.15)
    network.save_pretrained(tmp_path)
    body = load_pretrained(AutoModel, str(tmp_path)).eval()
    assert isinstance(body, SmallImageResNetModel)
    assert torch.equal(body(images).last_hidden_state, network.resnet(images).last_hidden_state)
    again = load_pretrained(AutoModelForImageClassification, str(tmp_path)).eval()
    assert torch.equal(again(images).logits, network(images).logits)


class _Code:
    def __reduce__(self) -> Any:
        return print, ("executed",)


def test_other_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    network = save_torchvision(tmp_path / "whole.pth", bottleneck=True)
    state = network.state_dict()
    narrow = {name: value for name, value in state.items() if name != "layer2.0.conv2.weight"}
    wide = {**state, "layer1.0.conv1.weight": torch.zeros(16, 8, 1, 1)}
    for content, message in (
        ({"model": state}, "holds dict; a state dict, tensors by name"),
        (state["fc.bias"], "holds Tensor; a state dict"),
        ({"features.0.weight": torch.zeros(1)}, "has 'features.0.weight', which is no tensor of torchvision's ResNets"),
        ({"conv1.weight": state["conv1.weight"]}, "has no stages of layers, or no fc"),
        (narrow, r"not a plain ResNet, .*there is no resnet.encoder.stages.1.layers.0.layer.1.convolution.weight"),
        (wide, r"not a plain ResNet, .*layers.0.layer.0.convolution.weight has the shape \(16, 8, 1, 1\)"),
        ({**state, "fc.weight": torch.tensor(1.0)}, r"not a plain ResNet, .*classifier.1.weight has the shape \(\)"),
        ({**state, "layer1.0.conv3.weight": torch.tensor(1.0)}, r"not a plain ResNet, .* has the shape \("),
        (
            {name: value for name, value in state.items() if name != "layer2.0.conv3.weight"},
            "has no stages of layers, or no fc",
        ),
        (_Code(), "no state dict of tensors alone"),
    ):
        torch.save(content, tmp_path / "other.pth")
        with pytest.raises(ConfigurationError, match=f"other.pth: {message}"):
            load_torchvision(tmp_path / "other.pth")
    (tmp_path / "other.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:2000])
    with pytest.raises(ConfigurationError, match="other.pth: no state dict of tensors alone"):
        load_torchvision(tmp_path / "other.pth")
    assert "executed" not in capsys.readouterr().out


def test_no_such_architecture() -> None:
    with pytest.raises(ConfigurationError, match="architecture: 'vgg16' is none of resnet18, resnet34, resnet50"):
        new_resnet("vgg16", 3, True)
