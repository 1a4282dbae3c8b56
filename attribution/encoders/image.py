"""Pooled features of images."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Optional

import numpy as np
import torch
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from transformers.utils import IMAGE_PROCESSOR_NAME

from attribution.common.manifest import fingerprint, write_json
from attribution.common.pretrained import configuration_errors, is_pooler, load_pretrained, model_identity
from attribution.common.rows import local_file
from attribution.encoders.progress import progress
from attribution.modules.resnet import TORCHVISION, load_torchvision


class ImageEncoder(FromParams):
    """
    The last layer of an image model (ResNet, ViT, ...), averaged over places: of a convolutional network its pooled
    features, by which Huang, Qiu and Church (NeurIPS 2021) compare networks.

    # Parameters

    model_name : `str`
        A hub id or a local folder of an image model; its `preprocessor_config.json` says what is done to images. Or a
        file of torchvision's ResNets (.pth), which are given what they were trained on: 224 pixels out of 256.
    batch_size : `int`, optional (default = `32`)
        Images a pass. Changes speed and memory only.
    """

    def __init__(self, model_name: str, batch_size: int = 32) -> None:
        if batch_size < 1:
            raise ConfigurationError(f"encoder: batch_size is {batch_size}; at least one is needed")
        self.model_name = model_name
        self.batch_size = batch_size
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model: Optional[Any] = None
        self._processor: Any = None

    @property
    def identity(self) -> Dict[str, Any]:
        """What an image's vector depends on, as plain JSON."""
        is_file = self.model_name.endswith(TORCHVISION)
        model = (
            {"file": fingerprint(local_file(self.model_name))["sha256"]} if is_file else model_identity(self.model_name)
        )
        return {"type": "image", "model": model}

    def __getstate__(self) -> Dict[str, Any]:
        return {**self.__dict__, "_model": None, "_processor": None}

    @torch.inference_mode()
    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """
        Shapes: (images, height, width, 3), uint8, or without the last where they are grey -> (images, dimension),
        float32
        """
        self._load()
        assert self._model is not None
        colours = np.repeat(images[..., None], 3, axis=3) if images.ndim == 3 else images
        vectors = []
        with progress(len(colours), "image") as bar:
            for start in range(0, len(colours), self.batch_size):
                batch = list(colours[start : start + self.batch_size])
                inputs = self._processor(images=batch, return_tensors="pt", input_data_format="channels_last")
                states = self._model(pixel_values=inputs["pixel_values"].to(self.device)).last_hidden_state
                # Of a transformer (batch, places, dimension), of a convolutional network (batch, dimension, height,
                # width).
                vectors.append((states.mean(1) if states.ndim == 3 else states.mean((2, 3))).float().cpu())
                bar.update(len(batch))
        return torch.cat(vectors).numpy()

    def _load(self) -> None:
        from transformers import AutoImageProcessor, AutoModel

        if self._model is not None:
            return
        if self.model_name.endswith(TORCHVISION):
            with TemporaryDirectory() as folder:
                write_json(Path(folder) / IMAGE_PROCESSOR_NAME, _TORCHVISION_PROCESSOR)
                self._processor = AutoImageProcessor.from_pretrained(folder)
            model: Any = load_torchvision(local_file(self.model_name)).resnet
        else:
            with configuration_errors(self.model_name):
                self._processor = AutoImageProcessor.from_pretrained(self.model_name)
            model = load_pretrained(AutoModel, self.model_name, may_lack=is_pooler)
        self._model = model.to(self.device).eval()


_TORCHVISION_PROCESSOR = {
    "image_processor_type": "ConvNextImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "crop_pct": 224 / 256,
    "resample": 2,  # Bilinear.
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
