import json
from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np
import torch

from attribution.common.manifest import write_manifest
from attribution.encoders import vectors
from attribution.encoders.stored_words import SENTENCES


def store_words(folder: Path, sentences: Sequence[Sequence[str]], values: np.ndarray) -> Path:
    """A folder as `allennlp embed` writes it of words."""
    folder.mkdir(parents=True)
    for shard in vectors.shards(len(values), 5):
        vectors.write_shard(folder, shard, values[shard.first : shard.end])
    identity = {"rows": len(values), "shard_rows": 5}
    (folder / SENTENCES).write_text("".join(json.dumps(words) + "\n" for words in sentences))
    write_manifest(folder, "embed", [], {}, identity)
    return folder


def build_resnet(folder: Path) -> Path:
    """Saves a tiny random image model of 8 x 8 pixels with its processor; returns the folder."""
    from transformers import ResNetConfig, ResNetModel

    torch.manual_seed(0)
    sizes: Any = dict(embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic")
    ResNetModel(ResNetConfig(**sizes)).save_pretrained(folder)
    save_processor(folder)
    return folder


def save_processor(folder: Path) -> None:
    """What an image model of 8 x 8 pixels wants to have done to images."""
    settings: Dict[str, Any] = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": False,
        "size": {"height": 8, "width": 8},
    }
    settings |= {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    settings |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
