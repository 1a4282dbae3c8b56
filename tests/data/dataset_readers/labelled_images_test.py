from pathlib import Path
from typing import Any, List

import numpy as np
import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader

from attribution.data.agent_split import AgentSplitter, of_classes
from tests.data.conftest import write_cifar

SPLIT = {"tasks": 1, "task_classes": 2, "agents": 2, "agent_classes": 2, "probe": 1, "shots": 1}
PIXELS = np.random.default_rng(0).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
LABELS = np.tile([7, 5, 30], 6)[:16]


@pytest.fixture
def cifar(tmp_path: Path) -> str:
    """Twelve images and four to test on, which are of two classes."""
    write_cifar(tmp_path / "cifar", PIXELS[:12], LABELS[:12].tolist())
    write_cifar(tmp_path / "cifar", PIXELS[12:], LABELS[12:].tolist(), "test.bin")
    return str(tmp_path / "cifar")


def _read(path: str, **settings: Any) -> List[Any]:
    reader = DatasetReader.from_params(Params({"type": "labelled_images", **settings}))
    return [(each["image"].tensor.numpy(), each["label"].label) for each in reader.read(path)]


def _check(found: List[Any], rows: List[int]) -> None:
    assert [label for _, label in found] == [str(LABELS[row]) for row in rows]
    for (image, _), row in zip(found, rows):
        np.testing.assert_array_equal(image, PIXELS[row])


def test_the_datas_own_parts(cifar: str) -> None:
    _check(_read(cifar), list(range(12)))
    _check(_read(cifar, part="test"), [12, 13, 14, 15])


def test_an_agents_images(cifar: str) -> None:
    split = AgentSplitter(**SPLIT).split(LABELS, np.arange(16) >= 12)
    for agent in range(2):
        for part, images in (("train", split.pool), ("test", split.test)):
            wanted = of_classes(images, LABELS, split.agents[agent]).tolist()
            _check(_read(cifar, split=dict(SPLIT), agent=agent, part=part), wanted)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"part": "probe"}, "part is 'probe'; train and test"),
        ({"agent": 0}, "agent is 0; without a split there is none"),
        ({"split": dict(SPLIT)}, "agent is None; 0 to 1 are possible"),
        ({"split": dict(SPLIT), "agent": 2}, "agent is 2; 0 to 1 are possible"),
    ],
)
def test_bad_settings(settings: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _read("nowhere", **settings)


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=PIXELS, labels=LABELS)
    with pytest.raises(ConfigurationError, match="images.npz: has no images in the part test"):
        _read(str(tmp_path / "images.npz"), part="test")
