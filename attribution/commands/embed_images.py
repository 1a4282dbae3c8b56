"""`allennlp embed` of images: what an image model makes of each."""

from pathlib import Path
from typing import Any, Dict, List

import numpy as np

from attribution.commands.artefact_command import ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.data.image_rows import ImageRows
from attribution.encoders import ImageEncoder, vectors
from attribution.encoders.vectors import LABELS


class ImageEmbedding(ArtefactJob):
    """
    The configuration of `allennlp embed` where it has `images`. `labels.npy` has the labels, for `log_me` and
    `h_score`.

    # Parameters

    images : `ImageRows`
    encoder : `ImageEncoder`
    dtype : `str`, optional (default = `"float16"`)
        `float16` or `float32`: how vectors are stored.
    shard_rows : `int`, optional (default = `1024`)
        Images a file: what is lost when the process is killed is at most one of them.
    """

    goes_on = True

    def __init__(
        self, images: ImageRows, encoder: ImageEncoder, dtype: str = "float16", shard_rows: int = 1024
    ) -> None:
        vectors.check_storage(dtype, shard_rows)
        self.images = images
        self.encoder = encoder
        self.dtype = dtype
        self.shard_rows = shard_rows

    def inputs(self) -> List[Path]:
        return self.images.files

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        return {
            **vectors.source(self.images.identity, self.encoder),
            "rows": len(self.images),
            "dtype": self.dtype,
            "shard_rows": self.shard_rows,
        }

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the shards that are not in `directory` yet."""
        np.save(directory / LABELS, self.images.labels)
        every = vectors.shards(len(self.images), self.shard_rows)
        vectors.write_missing(directory, every, self.dtype, engine, _Encode(self.encoder, self.dtype), self._part)
        return f"{len(self.images)} images"

    def _part(self, shard: vectors.Shard) -> np.ndarray:
        return self.images.take(shard.first, shard.end)


class _Encode:
    def __init__(self, encoder: ImageEncoder, dtype: str) -> None:
        self.encoder = encoder
        self.dtype = dtype

    def __call__(self, images: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # What overflows is refused with its shard.
            return self.encoder.encode_images(images).astype(self.dtype)
