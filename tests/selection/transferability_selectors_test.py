from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.encoders import vectors as stored
from attribution.selection import CheckpointSelector, Covariance

NAMES = ["none", "much", "some"]
SIGNAL = {"none": 0.0, "some": 0.5, "much": 3.0}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A folder with three members' features of fifty rows, and the rows' labels beside it."""
    folder = tmp_path / "features"
    folder.mkdir()
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 50)
    np.save(tmp_path / "labels.npy", labels)
    for name, signal in SIGNAL.items():
        np.save(folder / f"{name}.npy", (generator.normal(size=(50, 4)) + signal * labels[:, None]).astype(np.float32))
    return folder


def _selector(name: str, folder: Path, **settings: Any) -> Any:
    params = {"type": name, "features": str(folder), "labels": str(folder.parent / "labels.npy"), **settings}
    return CheckpointSelector.from_params(Params(params))


@pytest.mark.parametrize("name", ["log_me", "h_score"])
def test_members_whose_features_tell_more_come_first(name: str, task: Path) -> None:
    selector = _selector(name, task)
    assert selector.select(Covariance(NAMES, np.eye(3)), 3).names == ["much", "some", "none"]
    assert [path.name for path in selector.inputs()] == ["labels.npy", "much.npy", "none.npy", "some.npy"]


def test_features_that_embed_wrote(task: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.load(task / "much.npy")
    (task / "much.npy").unlink()
    (task / "much").mkdir()
    identity = {"rows": 50, "shard_rows": 30}
    for shard in stored.shards(50, 30):
        stored.write_shard(task / "much", shard, features[shard.first : shard.end].astype(np.float16))
    monkeypatch.setattr(stored, "read_manifest", lambda directory: {"command": "embed", "identity": identity})
    assert _selector("log_me", task).select(Covariance(NAMES, np.eye(3)), 1).names == ["much"]


def test_what_is_not_there(task: Path) -> None:
    zoo = Covariance([*NAMES, "other"], np.eye(4))
    with pytest.raises(ConfigurationError, match=r"features of 'other': .*other\.npy"):
        _selector("log_me", task).select(zoo, 2)
    np.save(task / "other.npy", np.ones((49, 2)))
    with pytest.raises(ConfigurationError, match="features of 'other': one number a row is needed, 49"):
        _selector("h_score", task).select(zoo, 2)
    np.save(task / "other.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ConfigurationError, match=r"other\.npy: not an \.npy of features"):
        _selector("h_score", task).select(zoo, 2)
    with pytest.raises(ConfigurationError, match="features: there is no folder /nowhere"):
        _selector("log_me", Path("/nowhere"))
    with pytest.raises(ConfigurationError, match="no such file"):
        _selector("log_me", task, labels="/nowhere.npy")
