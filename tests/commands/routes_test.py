"""From an archive to routes, and to a page about them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch

from attribution.modules.moe import TaskTable
from attribution.similarity import SimilarityMatrix, TaskRoutes

pytest.importorskip("matplotlib")

TASKS = ["birds", "boats", "lakes"]


def mixture(**settings: Any) -> Dict[str, Any]:
    """Changes of a configuration."""
    return {
        "model.type": "task_moe_seq2seq",
        "model.task": "birds",
        "model.router": {"type": "linear", "hidden_size": 4},
        "model.task_vectors": {"type": "learned", "tasks": TASKS, "size": 4},
        "data_loader": {"batch_size": 12},
        **settings,
    }


def test_routes_of_a_training_and_their_page(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    callbacks = {"trainer.callbacks": [{"type": "save_routes", "temperature": 1.0}]}
    assert allennlp("train", train_config(mixture(**callbacks)), "-s", run).status == 0
    (tmp_path / "categories.json").write_text(json.dumps({"wings": ["birds"], "water": ["lakes", "boats"]}))
    features = {"wings": ["birds"], "moves": ["birds", "boats", "cars"], "hot": ["cars"]}
    (tmp_path / "features.json").write_text(json.dumps(features))
    arguments = ["--temperature", "1", "--categories", tmp_path / "categories.json"]
    arguments += ["--features", tmp_path / "features.json"]
    result = allennlp("routes", run, "-s", out, *arguments)
    assert result.status == 0, result.stderr
    assert "routes of 3 tasks through 4 layers of 3 experts, and of 2 epochs" in result.stdout
    routes = TaskRoutes.load(out / "routes.npz")
    assert routes.tasks == TASKS and list(routes.categories) == ["wings", "water", "water"]
    assert json.loads((out / "features.json").read_text()) == {"wings": ["birds"], "moves": ["birds", "boats"]}
    assert SimilarityMatrix.load(out / "task_similarity.npz").scores.shape == (3, 3, 4)
    assert (out / "routes.gif").read_bytes()[:6] == b"GIF89a"
    last = TaskRoutes.load(out / "epochs" / "epoch_1.npz")
    assert last.weights.shape == routes.weights.shape and last.categories == routes.categories

    page = allennlp("report", out, out / "task_similarity.npz", "-s", tmp_path / "page")
    assert page.status == 0, page.stderr
    text = (tmp_path / "page" / "index.html").read_text()
    assert "Over the training" in text and "Correlations with categories" in text
    assert "Correlations with features" in text

    few = allennlp("routes", run / "model.tar.gz", "-s", tmp_path / "few", "--tasks", "lakes")
    assert few.status == 0, few.stderr
    one = TaskRoutes.load(tmp_path / "few" / "routes.npz")
    assert one.tasks == ["lakes"] and set(np.unique(one.weights)) == {0.0, 1.0}
    assert sorted(path.name for path in (tmp_path / "few").iterdir()) == [
        "manifest.json",
        "routes.npz",
        "routes.tsv",
        "task_similarity.npz",
        "task_similarity.tsv",
    ]

    others = replace(last, weights=last.weights[..., :2])
    others.save(run / "routes" / "epoch_1.npz")
    result = allennlp("routes", run, "-s", tmp_path / "again")
    assert result.status == 1 and "epoch_1.npz: has 2 experts a layer, the model 3" in result.stderr


def test_unseen_tasks_and_mistakes(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert allennlp("train", train_config(mixture(**{"trainer.num_epochs": 1})), "-s", run).status == 0
    TaskTable(["new"], torch.ones(1, 4)).save(tmp_path / "new.npz")
    arguments = ["-s", tmp_path / "out", "--tasks", "new", "birds", "--unseen-tasks"]
    result = allennlp("routes", run, *arguments, tmp_path / "new.npz")
    assert result.status == 0, result.stderr
    assert TaskRoutes.load(tmp_path / "out" / "routes.npz").tasks == ["new", "birds"]
    (tmp_path / "others.json").write_text('{"qa": ["boolq"]}')
    for arguments, message in (
        (["--categories", tmp_path / "others.json"], "others.json: has none of the 3 tasks"),
        (["--categories", tmp_path / "nowhere.json"], "nowhere.json: no such file"),
        (["--features", tmp_path / "others.json"], "others.json: has none of the 3 tasks"),
        (["--features", tmp_path / "nowhere.json"], "nowhere.json: no such file"),
        (["--unseen-tasks", tmp_path / "nowhere.npz"], "nowhere.npz: no such file; `allennlp embed-tasks` writes such"),
        (["--tasks", "new"], "'new' is not in the task table"),
    ):
        wrong = allennlp("routes", run, "-s", tmp_path / "wrong", *arguments)
        assert wrong.status == 1 and message in wrong.stderr and not (tmp_path / "wrong").exists()
    config = json.loads((run / "config.json").read_text())
    config["model"]["router"]["hidden_size"] = 5
    (run / "config.json").write_text(json.dumps(config))
    wrong = allennlp("routes", run, "-s", tmp_path / "wrong")
    assert wrong.status == 1 and "its weights are not of the model in its config.json" in wrong.stderr
    assert "Traceback" not in wrong.stderr
