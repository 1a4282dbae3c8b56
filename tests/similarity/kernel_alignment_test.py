import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.encoders.vectors import shards, write_shard
from attribution.similarity import KernelAlignment, TargetTask, linear_cka
from tests.similarity.conftest import source_of


@pytest.fixture
def embedded(tmp_path: Path) -> Callable[..., Path]:
    """(name, vectors, hash of the rows' file) -> a folder as `allennlp embed` leaves it."""

    def write(name: str, vectors: np.ndarray, pool: str = "a", command: str = "embed") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for shard in shards(len(vectors), 4):
            write_shard(folder, shard, vectors[shard.first : shard.end])
        identity = {"pool": {"sha256": pool}, "rows": len(vectors), "shard_rows": 4, "encoder": name}
        (folder / "manifest.json").write_text(json.dumps({"command": command, "identity": identity}))
        return folder

    return write


def _score(one: Path, other: Path) -> float:
    measure, target = KernelAlignment(), TargetTask("one", [], one)
    return measure.compare(target, source_of(other), None, measure.reference(target, None))["model"]


def test_the_alignment_of_all_shards(embedded: Callable[..., Path]) -> None:
    generator = np.random.default_rng(0)
    values = [generator.normal(size=(10, width)).astype(dtype) for width, dtype in ((3, np.float16), (5, np.float32))]
    one, other = (embedded(name, vectors) for name, vectors in zip(("one", "other"), values))
    assert _score(one, other) == pytest.approx(linear_cka(values)[0, 1])
    assert _score(one, other) == pytest.approx(_score(other, one)) and _score(one, one) == 1
    assert KernelAlignment().files(one) == [one / "manifest.json"]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"pool": "b"}, "one and .*other have vectors of different rows .sha256 is 'a' there and 'b' here.; embed one"),
        ({"vectors": np.ones((10, 2))}, r"one \(0\) and .*other \(1\): feature set 1 is the same in all rows"),
        ({"command": "retrieve"}, "other: what retrieve wrote; stored vectors are embed's"),
    ],
)
def test_vectors_that_cannot_be_compared(settings: Any, message: str, embedded: Callable[..., Path]) -> None:
    vectors = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    one, other = embedded("one", vectors), embedded("other", **{"vectors": vectors, **settings})
    with pytest.raises(ConfigurationError, match=message):
        _score(one, other)
