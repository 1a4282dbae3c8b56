from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common.checks import ConfigurationError

from attribution.data.agent_split import AgentSplitter
from attribution.data.image_rows import ImageRows

SPLIT: Any = {"tasks": 2, "task_classes": 2, "agents": 2, "agent_classes": 2, "probe": 2, "shots": 1, "test": 3}
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


@pytest.fixture(params=["colours", "grey"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    np.savez(tmp_path / "images.npz", images=PIXELS if request.param == "colours" else PIXELS[..., 0], labels=LABELS)
    return str(tmp_path / "images.npz")


def test_images_as_they_are_and_rotated(path: str) -> None:
    pixels = np.load(path)["images"]
    plain = ImageRows(path)
    np.testing.assert_array_equal(plain.take(3, 40), pixels[3:])
    assert plain.labels.tolist() == LABELS.tolist() and plain.identity.keys() == {"images"}
    turned = ImageRows(path, rotations=[0, 90, -90])
    assert len(turned) == 120 and turned.labels.tolist() == LABELS.tolist() * 3
    # Across the end of the images as they are.
    wanted = np.concatenate([pixels[38:], np.rot90(pixels, 1, (1, 2)), np.rot90(pixels[:5], -1, (1, 2))])
    np.testing.assert_array_equal(turned.take(38, 85), wanted)
    assert turned.identity != plain.identity


def test_the_parts_of_a_split(path: str) -> None:
    splitter = AgentSplitter(**SPLIT)
    split = splitter.split(LABELS, np.zeros(40, dtype=bool))
    probe = ImageRows(path, split=splitter, part="probe")
    assert probe.numbers.tolist() == sorted(split.probe.tolist()) and len(probe) == 8
    tasks = ImageRows(path, split=splitter, part="tasks")
    classes = {*split.tasks[0].tolist(), *split.tasks[1].tolist()}
    both = [*split.shots.tolist(), *split.test.tolist()]
    assert tasks.numbers.tolist() == sorted(number for number in both if LABELS[number] in classes)
    assert tasks.labels.tolist() == LABELS[tasks.numbers].tolist()
    assert probe.identity != ImageRows(path, split=AgentSplitter(**SPLIT, seed=1), part="probe").identity


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"part": "probe"}, "part is 'probe'; of a split it is probe or tasks, without one it is none"),
        ({"split": AgentSplitter(**SPLIT)}, "part is None; of a split"),
        ({"split": AgentSplitter(**SPLIT), "part": "train"}, "part is 'train'; of a split"),
        ({"rotations": []}, "rotations is empty"),
    ],
)
def test_bad_settings(settings: Any, message: str, path: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ImageRows(path, **settings)
