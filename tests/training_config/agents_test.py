"""The vision half of the zoo as its configurations compose it, with three or twelve small agents."""

import json
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
from allennlp.common import Params

from attribution.data.agent_split import AgentSplitter, of_classes
from attribution.encoders import ImageEncoder, Vectors
from attribution.similarity import SimilarityMatrix, linear_cka
from tests.data.conftest import write_cifar

pytest.importorskip("PIL")

CONFIGS = Path(__file__).parents[2] / "training_config" / "checkpoint_zoo"
TINY = {"layer_type": "basic", "hidden_sizes": [4, 6], "depths": [1, 1], "embedding_size": 4}
SIZES = {"AGENTS": 12, "AGENT_CLASSES": 3, "NUM_TASKS": 2, "TASK_CLASSES": 3, "PROBE": 2, "SHOTS": 2}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets these, beside those of few agents and a small CIFAR-100 of six classes."""
    generator = np.random.default_rng(0)
    for name, count in (("train.bin", 9), ("test.bin", 3)):
        labels = np.tile(np.arange(6), count)
        pixels = generator.integers(0, 120, (len(labels), 32, 32, 3), dtype=np.uint8) + labels[:, None, None, None] * 20
        write_cifar(tmp_path / "cifar", pixels.astype(np.uint8), labels.tolist(), name)

    def set_all(**more: Any) -> None:
        for name, value in {"IMAGES_PATH": tmp_path / "cifar", **SIZES, "DTYPE": "float32", **more}.items():
            monkeypatch.setenv(name, str(value))

    return set_all


def test_the_published_settings(variables: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    variables(CHECKPOINT="agent099")
    for name in SIZES:
        monkeypatch.delenv(name)
    config = Params.from_file(CONFIGS / "agent.jsonnet").as_dict()
    split = {"agents": 100, "agent_classes": 30, "tasks": 20, "task_classes": 30, "probe": 10, "shots": 10, "seed": 0}
    assert config["dataset_reader"] == {"type": "labelled_images", "split": split, "agent": 99}
    assert config["validation_dataset_reader"]["part"] == "test" and config["pytorch_seed"] == 0
    assert config["model"] == {"type": "image_classifier", "architecture": "resnet50", "augmentation": {}}
    assert config["data_loader"] == {"batch_size": 128, "shuffle": True}
    trainer = config["trainer"]
    assert trainer["optimizer"] == {"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005}
    assert trainer["learning_rate_scheduler"] == {
        "type": "multi_step_with_warmup",
        "milestones": [60, 120, 160],
        "gamma": 0.2,
    }
    assert trainer["num_epochs"] == 200 and trainer["validation_metric"] == "+accuracy"
    sweep = Params.from_file(CONFIGS / "agents.jsonnet").as_dict()
    assert sweep["axes"]["CHECKPOINT"] == [f"agent{number:03d}" for number in range(100)]
    assert sweep["steps"]["probe"]["overrides"]["images.rotations"] == [0, -5, 5, -10, 10, -15, 15]
    for name in ("FEATURES", "COVARIANCE_PATH"):
        monkeypatch.setenv(name, "/nowhere")
    compared = Params.from_file(CONFIGS / "compare_agents.jsonnet").as_dict()
    assert compared["head"] == {"epochs": 1500, "learning_rate": 0.1, "select_on": "last"}
    assert compared["selector"] == {"type": "mmi", "hub_start": True} and compared["k"] == 20
    monkeypatch.setenv("SIZE", "64")
    config = Params.from_file(CONFIGS / "agent.jsonnet").as_dict()
    compared = Params.from_file(CONFIGS / "compare_agents.jsonnet").as_dict()
    assert {config["dataset_reader"]["size"], config["validation_dataset_reader"]["size"], compared["size"]} == {64}
    monkeypatch.setenv("CHECKPOINT", "agent100")
    with pytest.raises(RuntimeError, match="CHECKPOINT is agent100; agent000 to agent099 are possible"):
        Params.from_file(CONFIGS / "agent.jsonnet")


@pytest.mark.parametrize("agents", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_from_images_to_a_comparison(
    agents: int, variables: Callable[..., None], allennlp: Any, tmp_path: Path
) -> None:
    zoo = tmp_path / "zoo"
    variables(EPOCHS=1, BATCH_SIZE=12, AGENTS=agents)
    changes = {"steps.agent.overrides": {"model.network": TINY}}
    command = ["sweep", CONFIGS / "agents.jsonnet", "-s", zoo, "-o", json.dumps(changes)]
    result = allennlp(*command)
    assert result.status == 0, result.stderr
    labels = np.tile(np.arange(6), 12)
    sizes = {name.lower().replace("num_", ""): value for name, value in SIZES.items()}
    split = AgentSplitter(**{**sizes, "agents": agents}).split(labels, np.arange(72) >= 54)
    pixels = np.concatenate(
        [
            np.fromfile(tmp_path / "cifar" / name, np.uint8).reshape(-1, 3074)[:, 2:].reshape(-1, 3, 32, 32)
            for name in ("train.bin", "test.bin")
        ]
    ).transpose(0, 2, 3, 1)
    for number in (0, agents - 1):
        agent = zoo / "agent" / f"CHECKPOINT=agent{number:03d}"
        own = of_classes(split.pool, labels, split.agents[number])
        wanted = pixels[own].reshape(-1, 3) / 255
        settings = json.loads((agent / "transformer" / "preprocessor_config.json").read_text())
        np.testing.assert_allclose(settings["image_mean"], wanted.mean(0), rtol=1e-5)
        np.testing.assert_allclose(settings["image_std"], wanted.std(0), rtol=1e-5)
        tasks = np.concatenate(list(Vectors(zoo / "tasks" / agent.name).blocks()))
        classes = np.unique(np.concatenate(split.tasks))
        rows = np.sort(np.concatenate([of_classes(part, labels, classes) for part in (split.shots, split.test)]))
        encoded = ImageEncoder(str(agent / "transformer")).encode_images(pixels[rows])
        np.testing.assert_allclose(tasks, encoded, atol=1e-5)
    variables(VECTORS=f"{zoo}/probe/CHECKPOINT=*", FEATURES=f"{zoo}/tasks/CHECKPOINT=*", AGENTS=agents)
    result = allennlp("similarity", CONFIGS / "similarity.jsonnet", "-s", tmp_path / "kappa")
    assert result.status == 0, result.stderr
    matrix = SimilarityMatrix.load(tmp_path / "kappa" / "similarity.npz")
    probe = [np.concatenate(list(Vectors(folder).blocks())) for folder in sorted((zoo / "probe").iterdir())
             if folder.is_dir()]  # fmt: skip
    assert [len(each) for each in probe] == [7 * 12] * agents
    np.testing.assert_allclose(matrix.scores, linear_cka(probe), atol=1e-5)
    variables(EPOCHS=3, K=2, RANDOM_SETS=2, AGENTS=agents, COVARIANCE_PATH=tmp_path / "kappa" / "similarity.npz")
    result = allennlp("compare-agents", CONFIGS / "compare_agents.jsonnet", "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    content: Dict[str, Any] = json.loads((tmp_path / "out" / "accuracy.json").read_text())
    assert {way: np.shape(found["accuracy"]) for way, found in content.items()} == {
        "selected": (1, 2, 2),
        "peek": (1, 2, 2),
        "random": (2, 2, 2),
    }
    assert allennlp("report", tmp_path / "out", tmp_path / "kappa", "-s", tmp_path / "page").status == 0
    assert "points of accuracy over random" in (tmp_path / "page" / "index.html").read_text()


def test_a_damaged_file_of_images(variables: Callable[..., None], allennlp: Any, tmp_path: Path) -> None:
    variables(CHECKPOINT="agent000")
    path = tmp_path / "cifar" / "train.bin"
    path.write_bytes(path.read_bytes()[:-5])
    result = allennlp("train", CONFIGS / "agent.jsonnet", "-s", tmp_path / "out")
    assert result.status == 1 and "Traceback" not in result.stderr
    assert "train.bin has 165,991 bytes; CIFAR-100's binary version has 3,074 an image" in result.stderr
