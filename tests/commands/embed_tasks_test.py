from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
from allennlp.commands import main
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from attribution.commands.embed_tasks import TaskEmbedding
from attribution.similarity import SimilarityMatrix
from attribution.task_vectors import TaskEmbedder, TaskVectors
from tests.similarity.conftest import save_delta

__all__ = ["save_delta"]

CONFIG = "training_config/task_moe/embed_tasks.jsonnet"
TASKS = {
    "rte": ["the cat\tyes", "a bad film\tno"],
    "boolq": ["good movie ?\tyes", "it was\tno maybe"],
    "cb": ["one two\tgreen"],
}


@pytest.fixture
def gym(tmp_path: Path) -> str:
    for task, lines in TASKS.items():
        (tmp_path / "gym" / task).mkdir(parents=True)
        for split in ("train", "dev", "test"):
            path = tmp_path / "gym" / task / f"{task}_2_13_{split}.tsv"
            path.write_text("".join(f"{line}\n" for line in lines))
    return str(tmp_path / "gym")


@pytest.fixture
def embed(monkeypatch: Any, tmp_path: Path, gym: str) -> Callable[..., Path]:
    def run(name: str, **variables: str) -> Path:
        for variable, value in {"GYM": gym, **variables}.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr("sys.argv", ["allennlp", "embed-tasks", CONFIG, "-s", str(tmp_path / name)])
        main()
        return tmp_path / name

    return run


@pytest.mark.parametrize("embedder", ["text", "tuned_text", "fisher", "random"])
def test_the_configuration(
    embedder: str, embed: Callable[..., Path], tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    base = tiny_model("bart")
    variables: Dict[str, str] = {"ENCODER_NAME": base, "EMBEDDER": embedder}
    if embedder in ("tuned_text", "fisher"):
        for seed, task in enumerate(TASKS):
            folder = save_delta(task, seed, "bart")
        variables.update(DELTAS=f"{folder.parent}/*", MODEL_NAME=base)
    if embedder in ("fisher", "random"):
        variables["DIMENSION"] = "2"
    vectors = TaskVectors.load(embed("vectors", **variables) / "task_vectors.npz")
    assert vectors.names == sorted(TASKS)
    assert vectors.vectors.shape == (3, 2 if "DIMENSION" in variables else 16)
    matrix = SimilarityMatrix.load(Path(embed("vectors", **variables)) / "similarity.npz")
    np.testing.assert_allclose(np.diag(matrix.scores), 1)


def test_an_embedder_by_its_name_alone(gym: str) -> None:
    settings = {"embedder": "random", "tasks": gym, "model": None}
    job = TaskEmbedding.from_params(Params(dict(settings)))
    assert job.identity(settings)["tasks"] == sorted(TASKS)


def test_an_interrupted_one_goes_on(
    embed: Callable[..., Path], tiny_model: Callable[[str], str], monkeypatch: Any
) -> None:
    variables = {"ENCODER_NAME": tiny_model("bart")}
    whole = embed("whole", **variables)
    text: Any = TaskEmbedder.by_name("text")
    embedded: List[str] = []
    plain = text.embed

    def stops_at_the_third(self: Any, task: Any, model: Any) -> np.ndarray:
        embedded.append(task.name)
        if len(embedded) == 3:
            raise KeyboardInterrupt
        return plain(self, task, model)

    monkeypatch.setattr(text, "embed", stops_at_the_third)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        embed("parts", **variables)
    parts = embed("parts", **variables)
    assert embedded == ["boolq", "cb", "rte", "rte"]
    for name in ("task_vectors.npz", "similarity.npz"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"embedder": {"type": "random"}, "tasks": ""}, "tasks is empty; the folder of a gym"),
        ({"embedder": {"type": "fisher"}}, "reader is missing"),
        ({"embedder": {"type": "fisher"}, "reader": {"type": "fewshot_gym", "model_name": "x"}}, "deltas is missing"),
        ({"embedder": {"type": "random"}, "task_names": ["qqp"]}, "there is no 'qqp'; there are boolq, cb, rte"),
        ({"embedder": {"type": "random"}, "task_names": []}, "task_names: it is empty"),
        ({"embedder": {"type": "random"}, "dimension": 3}, "dimension is 3; 3 tasks have 2"),
    ],
)
def test_bad_settings(settings: Any, message: str, gym: str) -> None:
    from allennlp.common import Params

    with pytest.raises(ConfigurationError, match=message):
        TaskEmbedding.from_params(Params({"tasks": gym, **settings}))


def test_a_task_without_a_delta(
    embed: Callable[..., Path], tiny_model: Callable[[str], str], save_delta: Callable[..., Path]
) -> None:
    folder = save_delta("cb", 1, "bart")
    with pytest.raises(ConfigurationError, match="there is none of the task 'boolq'"):
        embed("vectors", EMBEDDER="fisher", DELTAS=f"{folder.parent}/*", MODEL_NAME=tiny_model("bart"))
