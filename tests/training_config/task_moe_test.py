"""What shell_scripts/task_moe/two_stage.sh runs, on a tiny gym and a tiny model."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from allennlp.common import Params

from attribution.modules.moe import RouteSelector
from attribution.similarity import TaskRoutes
from attribution.sweeps import Sweep

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "training_config" / "task_moe"


def test_rates_and_temperatures_are_the_published_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYM", "gym")
    monkeypatch.setenv("ROUTER_FROM", "one")
    one = Params.from_file(CONFIGS / "stage_one.jsonnet").as_dict(quiet=True)
    optimizer = one["trainer"]["optimizer"]
    assert optimizer["lr"] == 1e-5
    assert optimizer["parameter_groups"] == [[["^router"], {"lr": 0.001}], [["^task_vectors"], {"lr": 0.01}]]
    assert one["model"]["selector"] == {
        "type": "straight_through",
        "temperature": {"start": 2.0, "floor": 0.1, "rate": 3e-4},
    }
    monkeypatch.setenv("TASK_VECTORS", "vectors")  # Which are not trained then.
    groups = Params.from_file(CONFIGS / "stage_one.jsonnet")["trainer"]["optimizer"]["parameter_groups"]
    assert groups == [[["^router"], {"lr": 0.001}]]
    for selector, evaluation in (("softmax", "mixture"), ("gumbel_softmax", "argmax"), ("straight_through", "argmax")):
        monkeypatch.setenv("SELECTOR", selector)
        model = Params.from_file(CONFIGS / "stage_one.jsonnet")["model"]
        assert RouteSelector.from_params(model["selector"]).evaluation == evaluation  # type: ignore[attr-defined]
    two = Params.from_file(CONFIGS / "stage_two.jsonnet").as_dict(quiet=True)
    assert two["model"]["freeze_router"] and two["trainer"]["optimizer"]["parameter_groups"] == []
    assert two["model"]["selector"]["temperature"] == {"start": 300.0, "floor": 1.0, "rate": 1e-4}
    assert two["trainer"]["callbacks"][3] == {"type": "validate_from", "update": 15000}
    earlier = Params.from_file(CONFIGS / "stage_two.jsonnet", '{"trainer.callbacks.3.update": 0}')
    assert earlier["trainer"]["callbacks"][3]["update"] == 0


@pytest.mark.parametrize("system", ["task_moe", "weight_ensembling"])
def test_few_shot_settings_are_chosen_for_each_sample(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GYM", "MODELS", "TASKS"):
        monkeypatch.setenv(name, "boolq")
    path = CONFIGS.parent / system / "few_shot.jsonnet"
    assert Sweep.from_params(Params.from_file(path)).choose_within == "SHOT_SEED"
    together = Params.from_file(path, "{choose_within: null}")
    assert Sweep.from_params(together).choose_within is None


@pytest.mark.parametrize("expert", ["layer", "lora"])
def test_from_a_gym_to_a_page(
    expert: str, tiny_model: Any, allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "split.json").write_text(json.dumps({"train": ["boolq"]}))
    models, out = tmp_path / "models", tmp_path / "few_shot"
    settings = {
        "GYM": str(ROOT / "tests" / "fixtures" / "fewshot_gym"),
        "TASK_SPLIT": str(tmp_path / "split.json"),
        "MODEL_NAME": tiny_model("bart"),
        "ENCODER_NAME": tiny_model("bart"),
        "TASK_VECTORS": str(tmp_path / "vectors"),
        "ROUTER_FROM": str(models / "stage_one"),
        "MODELS": str(models),
        "EXPERT": expert,
        "INITS": "multi_task base instance_random stage_two",
        "ANSWER_PREFIX": "",
        "SEEDS": "13",
        "SHOT_SEEDS": "13",
        "BATCH_SIZES": "2",
        "RATES": "0.01",
        "VALIDATE_EVERY": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def run(*arguments: Any, **variables: str) -> None:
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            result = allennlp(*arguments)
        assert result.status == 0, result.stdout + result.stderr

    run("embed-tasks", CONFIGS / "embed_tasks.jsonnet", "-s", tmp_path / "vectors")
    run("train", CONFIGS / "stage_one.jsonnet", "-s", models / "stage_one", UPDATES="1", EVERY="1")
    run("train", CONFIGS / "stage_two.jsonnet", "-s", models / "stage_two", UPDATES="2", EVERY="1", RATE="3")
    for name, baseline in (
        ("multi_task", "multi_task"),
        ("base", "multi_task"),
        ("instance_random", "instance_random"),
    ):
        settings = {"SELECTOR": baseline, "UPDATES": "0" if name == "base" else "1", "EVERY": "1"}
        run("train", CONFIGS / "stage_one.jsonnet", "-s", models / name, **settings)
    run("routes", models / "stage_two", "-s", tmp_path / "routes", "--categories", ROOT / "data" / "few_shot_gym.json")
    routes = TaskRoutes.load(tmp_path / "routes" / "routes.npz")
    assert routes.tasks == ["boolq", "web_questions"] and list(routes.categories) == ["qa", "qa"]
    # The temperature is 15 after the first update, and 1 after the second.
    first = TaskRoutes.load(tmp_path / "routes" / "epochs" / "epoch_0.npz").weights
    second = TaskRoutes.load(tmp_path / "routes" / "epochs" / "epoch_1.npz").weights
    assert np.abs(first - 1 / 3).max() < np.abs(second - 1 / 3).max()

    run("sweep", CONFIGS / "few_shot.jsonnet", "-s", out, TASKS="web_questions", UPDATES="1")
    with (out / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["INIT"] for row in rows] == ["multi_task", "base", "instance_random", "stage_two"]
    assert all(row["n"] == "1" and row["test.fewshot_gym_mean"] and row["zero_shot.fewshot_gym_mean"] for row in rows)
    run("report", out, tmp_path / "routes", "-s", tmp_path / "report", "--rows", "TASK", "--baseline", "INIT=base")
    assert "zero_shot.fewshot_gym" in (tmp_path / "report" / "index.html").read_text()
