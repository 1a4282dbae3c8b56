"""`allennlp embed` of images: what an image model makes of each."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError

from attribution.commands.artefact_command import ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import Identity, fingerprint
from attribution.data.labelled_images import image_files, read_images
from attribution.encoders import ImageEncoder, vectors
from attribution.encoders.vectors import LABELS


class Images(FromParams):
    """
    Labelled images.

    # Parameters

    path : `str`
        A .npz with `images` and `labels`, or a folder CLASS/IMAGE. See `read_images`.
    """

    def __init__(self, path: str) -> None:
        self.files = image_files(path)
        self.images, self.labels = read_images(path)
        is_colour = self.images.ndim == 4 and self.images.shape[3] == 3
        if self.images.dtype != np.uint8 or not (is_colour or self.images.ndim == 3):
            raise ConfigurationError(
                f"images: {path} has {self.images.dtype} of shape {self.images.shape}; uint8 of shape (images, height, "
                "width), or that with 3 colours, is needed"
            )


class ImageEmbedding(ArtefactJob):
    """
    The configuration of `allennlp embed` where it has `images`. `labels.npy` has the labels, for `log_me` and
    `h_score`.

    # Parameters

    images : `Images`
    encoder : `ImageEncoder`
    dtype : `str`, optional (default = `"float16"`)
        `float16` or `float32`: how vectors are stored.
    shard_rows : `int`, optional (default = `1024`)
        Images a file: what is lost when the process is killed is at most one of them.
    """

    goes_on = True

    def __init__(self, images: Images, encoder: ImageEncoder, dtype: str = "float16", shard_rows: int = 1024) -> None:
        vectors.check_storage(dtype, shard_rows)
        self.images = images
        self.encoder = encoder
        self.dtype = dtype
        self.shard_rows = shard_rows

    def inputs(self) -> List[Path]:
        return self.images.files

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        digest = sha256("".join(fingerprint(file)["sha256"] for file in self.images.files).encode())
        return {
            **vectors.source({"images": digest.hexdigest()}, self.encoder),
            "rows": len(self.images.labels),
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
        }

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the shards that are not in `directory` yet."""
        np.save(directory / LABELS, self.images.labels)
        every = vectors.shards(len(self.images.labels), self.shard_rows)
        vectors.write_missing(directory, every, self.dtype, engine, _Encode(self.encoder, self.dtype), self._part)
        return f"{len(self.images.labels)} images"

    def _part(self, shard: vectors.Shard) -> np.ndarray:
        return self.images.images[shard.first : shard.end]


class _Encode:
    def __init__(self, encoder: ImageEncoder, dtype: str) -> None:
        self.encoder = encoder
        self.dtype = dtype

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # What overflows is refused with its shard.
            return self.encoder.encode_images(images).astype(self.dtype)
