from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import write_manifest
from attribution.encoders import Vectors, vectors

IDENTITY: Dict[str, Any] = {"encoder": {"type": "e", "max_length": 8}, "rows": 5, "dtype": "float16", "shard_rows": 2}


def _block(rows: int) -> np.ndarray:
    return np.arange(rows * 3, dtype=np.float16).reshape(rows, 3)


def test_shards_cover_the_rows() -> None:
    assert vectors.shards(5, 2) == [(0, 2), (2, 4), (4, 5)]
    assert vectors.shards(4, 9) == [(0, 4)]


def test_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no manifest.json"):
        Vectors(tmp_path)
    for shard in vectors.shards(5, 2):
        vectors.write_shard(tmp_path, shard, _block(5)[shard.first : shard.end])
    write_manifest(tmp_path, "retrieve", [], {}, IDENTITY)
    with pytest.raises(ConfigurationError, match="what retrieve wrote; stored vectors are embed's"):
        Vectors(tmp_path)
    write_manifest(tmp_path, "embed", [], {}, IDENTITY)
    stored = Vectors(tmp_path)
    assert len(stored) == 5
    np.testing.assert_array_equal(np.concatenate(list(stored.blocks())), _block(5))
    taken = stored.take(np.array([4, 0, 3, 3, 1]))
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken, _block(5)[[4, 0, 3, 3, 1]])
    stored.check({"encoder": {"type": "e", "max_length": 8}})
    with pytest.raises(ConfigurationError, match="vectors of something else: encoder.type is 'e' there and 'f' here"):
        stored.check({"encoder": {"type": "f", "max_length": 8}})


def test_a_vector_that_the_type_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="rows 4 to 5: a vector is not finite in float16; store float32"):
        vectors.write_shard(tmp_path, vectors.Shard(4, 6), np.full((2, 3), np.inf, dtype=np.float16))
    assert not list(tmp_path.iterdir())
