import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attribution.data.agent_split import AgentSplitter
from attribution.data.image_rows import ImageRows
from attribution.encoders import ImageEncoder, Vectors
from tests.encoders.conftest import build_resnet

Image = pytest.importorskip("PIL.Image")

CONFIG = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo" / "images.jsonnet"


@pytest.fixture
def embed(allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """(variables) -> the command's result, on a folder of five images of two classes; it writes to `out`."""
    build_resnet(tmp_path / "resnet")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    for number, each in enumerate(pixels):
        folder = tmp_path / "images" / ("cat" if number < 3 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(each).save(folder / f"{number}.png")
    np.save(tmp_path / "pixels.npy", pixels)

    def run(*arguments: str, **variables: str) -> Any:
        zoo = json.dumps({"resnet": {"model_name": str(tmp_path / "resnet")}})
        settings = {"IMAGES_PATH": str(tmp_path / "images"), "ZOO": zoo, "CHECKPOINT": "resnet", "DTYPE": "float32"}
        for name, value in {**settings, **variables}.items():
            monkeypatch.setenv(name, value)
        return allennlp("embed", CONFIG, "-s", tmp_path / "out", *arguments)

    return run


def test_a_row_for_each_image(embed: Any, tmp_path: Path) -> None:
    result = embed("-o", '{"shard_rows": 2}')
    assert result.status == 0, result.stderr
    assert "out: 5 images" in result.stdout
    stored = list(Vectors(tmp_path / "out").blocks())
    assert [len(block) for block in stored] == [2, 2, 1]
    wanted = ImageEncoder(str(tmp_path / "resnet")).encode_images(np.load(tmp_path / "pixels.npy"))
    np.testing.assert_allclose(np.concatenate(stored), wanted, atol=1e-5)
    assert np.load(tmp_path / "out" / "labels.npy").tolist() == [0, 0, 0, 1, 1]
    assert "finished already" in embed("-o", '{"shard_rows": 2}').stdout


def test_rotated_images_of_a_part(embed: Any, tmp_path: Path) -> None:
    """Of each class one is for the probe: what `take` gives, encoded, row by row."""
    split = dict(tasks=1, task_classes=2, agents=1, agent_classes=2, probe=1, shots=1, test=1)
    settings = {"split": {**split, "own_classes": 2}, "part": "probe", "rotations": [0, 90]}
    np.savez(tmp_path / "four.npz", images=np.load(tmp_path / "pixels.npy").repeat(4, 0), labels=np.arange(20) % 4)
    override = json.dumps({"shard_rows": 3, **{f"images.{name}": value for name, value in settings.items()}})
    result = embed("-o", override, IMAGES_PATH=str(tmp_path / "four.npz"))
    assert result.status == 0, result.stderr
    settings["split"] = AgentSplitter(**settings["split"])  # type: ignore[arg-type]
    rows = ImageRows(str(tmp_path / "four.npz"), **settings)  # type: ignore[arg-type]
    wanted = ImageEncoder(str(tmp_path / "resnet")).encode_images(rows.take(0, 8))
    np.testing.assert_allclose(np.concatenate(list(Vectors(tmp_path / "out").blocks())), wanted, atol=1e-5)
    assert np.load(tmp_path / "out" / "labels.npy").tolist() == rows.labels.tolist()
    assert np.abs(wanted[:4] - wanted[4:]).max() > 1e-3


def test_what_does_not_fit(embed: Any, tmp_path: Path) -> None:
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, images=np.ones((2, 4, 4)), labels=np.arange(2))
    for variables, message in (
        ({"IMAGES_PATH": str(arrays)}, "has float64 of shape (2, 4, 4); uint8 of shape (images, height, width)"),
        ({"IMAGES_PATH": "/nowhere"}, "/nowhere: no such file"),
        ({"IMAGES_PATH": str(tmp_path / "images"), "DTYPE": "int8"}, "dtype is 'int8'"),
        ({"DTYPE": "float32", "ZOO": '{"resnet": {"model_name": "/nowhere"}}'}, "/nowhere"),
    ):
        result = embed(**variables)
        assert result.status == 1 and message in result.stderr and "Traceback" not in result.stderr, result.stderr
        assert not (tmp_path / "out").exists()
