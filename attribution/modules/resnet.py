"""ResNets for small images, and those that torchvision saved, in the classes of transformers."""

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Dict, List, Type

import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoConfig, AutoModel, AutoModelForImageClassification, ResNetConfig
from transformers.models.resnet.modeling_resnet import ResNetForImageClassification, ResNetModel

ARCHITECTURES: Dict[str, Dict[str, Any]] = {
    "resnet18": {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]},
    "resnet34": {"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512], "depths": [3, 4, 6, 3]},
    "resnet50": {"layer_type": "bottleneck", "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 6, 3]},
    "resnet101": {"layer_type": "bottleneck", "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 23, 3]},
    "resnet152": {"layer_type": "bottleneck", "hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 8, 36, 3]},
}
"""By name what `ResNetConfig` is given."""

TORCHVISION = ".pth"


class SmallImageResNetConfig(ResNetConfig):
    """Of a ResNet whose first layer is 3 x 3 without a stride, and is not pooled: for images of 32 pixels or so."""

    model_type = "small_image_resnet"


class SmallImageResNetModel(ResNetModel):
    """As `ResNetModel`, but for the first layer."""

    config_class = SmallImageResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        stem: Any = self.embedder
        first = torch.nn.Conv2d(config.num_channels, config.embedding_size, 3, padding=1, bias=False)
        self._init_weights(first)
        stem.embedder.convolution = first
        stem.pooler = torch.nn.Identity()


class SmallImageResNetForImageClassification(ResNetForImageClassification):
    """As `ResNetForImageClassification`, but for the first layer."""

    config_class = SmallImageResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        self.resnet = SmallImageResNetModel(config)


AutoConfig.register(SmallImageResNetConfig.model_type, SmallImageResNetConfig)
AutoModel.register(SmallImageResNetConfig, SmallImageResNetModel)
AutoModelForImageClassification.register(SmallImageResNetConfig, SmallImageResNetForImageClassification)


def load_torchvision(path: Path) -> ResNetForImageClassification:
    """
    A ResNet (18 to 152) as torchvision saves it: its state dict. Nothing in the file is executed.

    # Raises

    `ConfigurationError`, naming the first tensor that is none of such a model's, or is missing.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, TypeError, UnpicklingError) as error:
        raise ConfigurationError(
            f"{path}: no state dict of tensors alone ({' '.join(str(error).split())[:200]})"
        ) from error
    if not isinstance(saved, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in saved.values()):
        raise ConfigurationError(f"{path}: holds {type(saved).__name__}; a state dict, tensors by name, is needed")
    tensors = {_name(name, path): tensor for name, tensor in saved.items()}
    model = ResNetForImageClassification(_configuration(tensors, path))
    wanted = model.state_dict()
    # Files of before 2018 do not count batches, which nothing depends on.
    missing = [name for name in wanted if name not in tensors and not name.endswith("num_batches_tracked")]
    other = [name for name, tensor in tensors.items() if name not in wanted or wanted[name].shape != tensor.shape]
    if missing or other:
        problem = (
            f"there is no {missing[0]}" if missing else f"{other[0]} has the shape {tuple(tensors[other[0]].shape)}"
        )
        raise ConfigurationError(
            f"{path}: not a plain ResNet, as wide ones and ResNeXt are not: by transformers' names, {problem}"
        )
    model.load_state_dict({**wanted, **tensors})
    return model.float().eval()


# From torchvision's names to those of transformers.
_NAMES: List[Any] = [
    (r"conv1\.weight", r"resnet.embedder.embedder.convolution.weight"),
    (r"bn1\.(\w+)", r"resnet.embedder.embedder.normalization.\1"),
    (r"layer(\d)\.(\d+)\.conv(\d)\.weight", r"resnet.encoder.stages.<\1>.layers.\2.layer.<\3>.convolution.weight"),
    (r"layer(\d)\.(\d+)\.bn(\d)\.(\w+)", r"resnet.encoder.stages.<\1>.layers.\2.layer.<\3>.normalization.\4"),
    (r"layer(\d)\.(\d+)\.downsample\.0\.weight", r"resnet.encoder.stages.<\1>.layers.\2.shortcut.convolution.weight"),
    (r"layer(\d)\.(\d+)\.downsample\.1\.(\w+)", r"resnet.encoder.stages.<\1>.layers.\2.shortcut.normalization.\3"),
    (r"fc\.(weight|bias)", r"classifier.1.\1"),
]


def _name(name: str, path: Path) -> str:
    for pattern, replacement in _NAMES:
        found = re.fullmatch(pattern, str(name))
        if found:
            # Theirs count from 1, these from 0.
            return re.sub(r"<(\d)>", lambda number: str(int(number[1]) - 1), found.expand(replacement))
    raise ConfigurationError(f"{path}: has {name!r}, which is no tensor of torchvision's ResNets")


def _configuration(tensors: Dict[str, torch.Tensor], path: Path) -> ResNetConfig:
    """By how many layers there are, and how wide."""
    found = re.compile(r"resnet\.encoder\.stages\.(\d)\.layers\.(\d+)\.layer\.(\d)\.convolution\.weight")
    places = {tuple(map(int, match.groups())): name for name in tensors if (match := found.fullmatch(name))}
    stages = sorted({stage for stage, _, _ in places})
    last = max((layer for _, _, layer in places), default=0)
    ends = [tensors[name] for stage in stages if (name := places.get((stage, 0, last))) is not None]
    whole = stages == [*range(len(stages))] and len(ends) == len(stages)
    if last not in (1, 2) or not whole or "classifier.1.weight" not in tensors:
        raise ConfigurationError(f"{path}: has no stages of layers, or no fc; torchvision's ResNets have both")
    settings: Dict[str, Any] = {
        "embedding_size": _width(tensors.get("resnet.embedder.embedder.convolution.weight", ends[0])),
        "hidden_sizes": [_width(end) for end in ends],
        "depths": [len({block for place, block, _ in places if place == stage}) for stage in stages],
        "layer_type": "bottleneck" if last == 2 else "basic",
        "num_labels": _width(tensors["classifier.1.weight"]),
    }
    return ResNetConfig(**settings)


def _width(tensor: torch.Tensor) -> int:
    """Of a layer's weight its outputs; the shape is looked at later."""
    return len(torch.atleast_1d(tensor))


def new_resnet(architecture: str, num_labels: int, small_images: bool, **settings: Any) -> ResNetForImageClassification:
    """
    An untrained one.

    # Parameters

    architecture : `str`
        One of `ARCHITECTURES`.
    small_images : `bool`
        Whether its first layer is that of `SmallImageResNetConfig`.
    settings : `Any`
        Of `ResNetConfig`, which count more than the architecture's.
    """
    if architecture not in ARCHITECTURES:
        raise ConfigurationError(f"architecture: {architecture!r} is none of {', '.join(ARCHITECTURES)}")
    kind: Type[ResNetConfig] = SmallImageResNetConfig if small_images else ResNetConfig
    model = SmallImageResNetForImageClassification if small_images else ResNetForImageClassification
    return model(kind(**{**ARCHITECTURES[architecture], **settings, "num_labels": num_labels}))
