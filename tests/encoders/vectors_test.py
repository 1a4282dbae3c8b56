from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import MANIFEST
from attribution.encoders import Vectors, vectors

PLAN: Dict[str, Any] = {"encoder": {"type": "e", "max_length": 8}, "rows": 5, "dtype": "float16", "shard_rows": 2}


def _block(rows: int) -> np.ndarray:
    return np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)


def test_shards_cover_the_rows() -> None:
    assert vectors.shards(5, 2) == [(0, 2), (2, 4), (4, 5)]
    assert vectors.shards(4, 9) == [(0, 4)]


def test_only_what_is_missing_is_left_to_do(tmp_path: Path) -> None:
    assert len(vectors.begin(tmp_path / "new", PLAN)) == 3
    vectors.write_shard(tmp_path / "new", vectors.Shard(2, 4), iter([_block(1), _block(1)]), "float16")
    (tmp_path / "new" / "vectors_0000000000.npy.part").write_bytes(b"half")
    assert vectors.begin(tmp_path / "new", PLAN) == [(0, 2), (4, 5)]
    different = {**PLAN, "encoder": {"type": "e", "max_length": 9}}
    with pytest.raises(ConfigurationError, match="encoder.max_length is 8 there and 9 here"):
        vectors.begin(tmp_path / "new", different)


def test_directories_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigurationError, match="not empty"):
        vectors.begin(tmp_path, PLAN)
    with pytest.raises(ConfigurationError, match="is no directory"):
        vectors.begin(tmp_path / "thesis.tex", PLAN)


def test_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no stored vectors there"):
        Vectors(tmp_path)
    for shard in vectors.begin(tmp_path, PLAN):
        vectors.write_shard(tmp_path, shard, iter([_block(shard.end - shard.first)]), "float16")
    with pytest.raises(ConfigurationError, match="not finished; the same allennlp embed goes on"):
        Vectors(tmp_path)
    (tmp_path / MANIFEST).write_text("{}")
    stored = Vectors(tmp_path)
    assert len(stored) == 5
    assert [block.tolist() for block in stored.blocks()] == [_block(rows).tolist() for rows in (2, 2, 1)]
    stored.check({"encoder": {"type": "e", "max_length": 8}})
    with pytest.raises(ConfigurationError, match="vectors of something else: encoder.type is 'e' there and 'f' here"):
        stored.check({"encoder": {"type": "f", "max_length": 8}})


def test_a_vector_that_the_type_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="rows 4 to 5: a vector is not finite in float16; store float32"):
        vectors.write_shard(tmp_path, vectors.Shard(4, 6), iter([_block(2) * 1e5]), "float16")
    assert not list(tmp_path.glob("*.npy"))
