import csv
import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.training import TrainerCallback

from attribution.common.engines import Engine, RayEngine
from tests.commands.train_test import InterruptOnce  # noqa: F401  registers "interrupt_once"


@TrainerCallback.register("tests_fail")
class Fail(TrainerCallback):
    """Breaks down where the learning rate is 3."""

    def on_batch(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        if trainer.optimizer.param_groups[0]["lr"] == 3:
            raise ZeroDivisionError("too much")


def _table(path: Path) -> List[Dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def _metrics(folder: Path) -> Dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


def _weights(folder: Path) -> bytes:
    return b"".join(part.numpy().tobytes() for part in torch.load(folder / "best.th", weights_only=True).values())


def _times(folder: Path) -> Dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/*/**/*") if path.is_file()}


def test_a_sweep_and_what_extends_it(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    result = allennlp("sweep", sweep_config(), "-s", folder)
    assert result.status == 0, result.stderr
    assert "10 of 10 steps finished" in result.stdout
    assert "10/10" in result.stderr and "loss" not in result.stderr  # The bar alone.
    assert "loss" in (folder / "model" / "ARM=all,SEED=1" / "out.log").read_text()
    assert sorted(path.name for path in (folder / "rows").iterdir()) == ["SEED=1", "SEED=2"]
    rows = {arm: folder / "model" / f"ARM={arm},SEED=2" / "config.json" for arm in ("all", "random")}
    data = {arm: json.loads(path.read_text())["train_data_path"] for arm, path in rows.items()}
    assert data == {"all": str(tmp_path / "rows.jsonl"), "random": str(folder / "rows" / "SEED=2" / "retrieved.jsonl")}

    runs = _table(folder / "runs.csv")
    assert [(run["ARM"], run["SEED"]) for run in runs] == [("all", "1"), ("all", "2"), ("random", "1"), ("random", "2")]
    for run in runs:
        point = f"ARM={run['ARM']},SEED={run['SEED']}"
        loss = _metrics(folder / "model" / point)["best_validation_loss"]
        assert float(run["model.best_validation_loss"]) == loss
        assert float(run["test.accuracy"]) == _metrics(folder / "test" / point)["accuracy"]
    one, two = (float(run["model.best_validation_loss"]) for run in runs[:2])
    first = _table(folder / "results.csv")[0]
    assert (first["ARM"], first["n"]) == ("all", "2")
    assert float(first["model.best_validation_loss_mean"]) == pytest.approx((one + two) / 2)
    assert float(first["model.best_validation_loss_std"]) == pytest.approx(abs(one - two) / 2**0.5)
    assert json.loads((folder / "sweep.json").read_text())["axes"] == {"ARM": ["all", "random"], "SEED": ["1", "2"]}
    step = json.loads((folder / "model" / "ARM=random,SEED=2" / "step.json").read_text())
    assert step["command"] == "train" and step["configuration"]["random_seed"] == 2 and list(step["steps"]) == ["rows"]
    assert step["environment"]["SEED"] == "2" and "TRAIN_DATA_PATH" in step["environment"]

    before = _times(folder)
    changes = {"axes.SEED": [1, 2, 3], "axes.ARM": ["all", "random"]}
    assert "15 of 15 steps" in allennlp("sweep", sweep_config(changes), "-s", folder).stdout
    assert before.items() <= _times(folder).items()
    assert [row["n"] for row in _table(folder / "results.csv")] == ["3", "3"]


def test_runs_do_not_touch_each_other(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder, alone = tmp_path / "out", tmp_path / "alone"
    training = {"trainer.optimizer": {"type": "adam"}, "model.delta": {"type": "lora", "r": 2}}
    config = sweep_config(
        {"axes.SEED": [1, 2], "axes.ARM": ["all"], "steps.rows": None, "steps.model.environment": {}}, training
    )
    variables = dict(os.environ)
    assert allennlp("sweep", config, "-s", folder).status == 0
    assert dict(os.environ) == variables
    command = [sys.executable, "-m", "allennlp", "train", tmp_path / "train.jsonnet", "-s", alone]
    subprocess.run(command, env={**os.environ, "SEED": "2"}, check=True, capture_output=True)
    there = folder / "model" / "ARM=all,SEED=2"
    assert _weights(there) == _weights(alone) != _weights(folder / "model" / "ARM=all,SEED=1")
    untimed = [
        {name: value for name, value in _metrics(place).items() if "duration" not in name and "memory" not in name}
        for place in (there, alone)
    ]
    assert untimed[0] == untimed[1]


def test_killed_it_goes_on_to_the_same_end(
    sweep_config: Any,
    allennlp: Any,
    run_and_kill: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    # AllenNLP's `evaluate` turns it off for the rest of a process, in whatever test that was.
    monkeypatch.setattr(logging.getLogger("allennlp.common.params"), "disabled", False)
    config = sweep_config({"axes.ARM": ["random"]}, {"trainer.num_epochs": 3})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert allennlp("sweep", config, "-s", whole).status == 0
    second = parts / "model" / "ARM=random,SEED=2"
    run_and_kill(["sweep", config, "-s", parts], lambda: list(second.glob("training_state_e1*.th")))
    assert not (second / "step.json").exists()
    assert [row["test.accuracy"] != "" for row in _table(parts / "runs.csv")] == [True, False]
    finished = {path: time for path, time in _times(parts).items() if second not in path.parents}
    assert any(path.name == "model.tar.gz" for path in finished)
    result = allennlp("sweep", config, "-s", parts)
    assert result.status == 0, result.stderr
    assert (second / "out.log").read_text().count("random_seed = 2") == 2  # Two processes, one log: none began anew.
    assert finished.items() <= _times(parts).items()
    for table in ("runs.csv", "results.csv"):
        assert (parts / table).read_text() == (whole / table).read_text()
    assert _weights(second) == _weights(whole / "model" / "ARM=random,SEED=2")


def test_interrupted_it_goes_on(
    sweep_config: Any, allennlp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {"trainer.callbacks": [{"type": "interrupt_once", "step": 2}]}
    config = sweep_config({"axes.ARM": ["all"], "axes.SEED": [1]}, training)
    stopped = allennlp("sweep", config, "-s", tmp_path / "out")
    assert stopped.status == 130 and "interrupted" in stopped.stderr
    checkpoint = tmp_path / "out" / "model" / "ARM=all,SEED=1" / "training_state_e0_b2.th"
    written = checkpoint.stat().st_mtime_ns
    monkeypatch.setenv("NO_INTERRUPTION", "1")
    result = allennlp("sweep", config, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    assert "not made is steps.rows.only.ARM: 'random' is no value of the axis" in result.stdout
    assert checkpoint.stat().st_mtime_ns == written


def test_ray_gives_the_same_bytes(
    sweep_config: Any,
    allennlp: Any,
    tmp_path: Path,
    ray_engines: Dict[int, RayEngine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = {"axes.ARM": ["random"], "steps.test.predictions": True}
    config = sweep_config(changes, {"evaluation": {"batch_serializer": {"type": "rows"}}})
    here, there = tmp_path / "here", tmp_path / "there"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # As a worker has it.
    try:
        assert allennlp("sweep", config, "-s", here).status == 0
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr(Engine, "from_params", lambda params: ray_engines[2])
    result = allennlp("sweep", config, "-s", there)
    assert result.status == 0, result.stderr
    for name in ("runs.csv", "results.csv", "rows/SEED=1/retrieved.jsonl", "test/ARM=random,SEED=2/predictions.jsonl"):
        assert (here / name).read_bytes() == (there / name).read_bytes()
    for point in ("ARM=random,SEED=1", "ARM=random,SEED=2"):
        assert _weights(here / "model" / point) == _weights(there / "model" / point)


def test_what_fails_does_not_stop_the_others(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    changes = {
        "axes": {"ARM": ["all", "none", "random"], "LEARNING_RATE": [0.01, 3], "SEED": [1]},
        "steps.model.overrides": {"validation_data_path": str(tmp_path / "{ARM}.jsonl")},
        "choose": ["LEARNING_RATE"],
    }
    for arm in ("all", "random"):
        (tmp_path / f"{arm}.jsonl").symlink_to(tmp_path / "rows.jsonl")
    (tmp_path / "none.jsonl").touch()
    config = sweep_config(changes, {"trainer.callbacks": ["tests_fail"]})
    result = allennlp("sweep", config, "-s", folder)
    assert result.status == 1 and "Traceback" not in result.stderr
    assert "5 of 13 steps finished" in result.stdout
    message = result.stderr[result.stderr.index("error: ") :]
    assert "4 steps failed, 4 that need them were left out:" in message
    assert f"model/ARM=none,LEARNING_RATE=0.01,SEED=1 and 1 more: {tmp_path}/none.jsonl: the file is empty" in message
    assert "model/ARM=all,LEARNING_RATE=3,SEED=1 and 1 more: ZeroDivisionError: too much" in message
    log = folder / "model" / "ARM=all,LEARNING_RATE=3,SEED=1.log"
    assert "Traceback" in log.read_text() and str(log) in message
    runs = _table(folder / "runs.csv")
    assert [run["test.accuracy"] != "" for run in runs] == [True, False, False, False, True, False]
    results = _table(folder / "results.csv")
    assert [(row["ARM"], row["LEARNING_RATE"], row["n"]) for row in results] == [
        ("all", "0.01", "1"),
        ("none", "", "0"),
        ("random", "0.01", "1"),
    ]
    assert results[1]["test.accuracy_mean"] == "" and results[0]["test.accuracy_std"] == ""

    (tmp_path / "none.jsonl").write_bytes((tmp_path / "rows.jsonl").read_bytes())
    before = _times(folder)
    assert "7 of 13 steps finished" in allennlp("sweep", config, "-s", folder).stdout
    assert before.items() <= _times(folder).items()


def test_another_configuration_is_refused_unless_forced(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    only = {"axes": {"ARM": ["random"], "SEED": [1]}}
    assert allennlp("sweep", sweep_config(only), "-s", folder).status == 0
    (before,) = _table(folder / "runs.csv")
    # What the means are over is no part of what was made.
    assert allennlp("sweep", sweep_config({**only, "repeat": []}), "-s", folder).status == 0
    changed = sweep_config({**only, "steps.rows.overrides": {"aggregator.size": 5}})
    for _ in range(2):
        result = allennlp("sweep", changed, "-s", folder)
        assert result.status == 1
        assert (
            f"{folder}/rows/SEED=1 was made from something else: configuration.aggregator.size is 12 there and 5 here "
            "(and 2 more); --force makes it again"
        ) in result.stderr
    forced = allennlp("sweep", changed, "-s", folder, "--force")
    assert forced.status == 0, forced.stderr
    assert (folder / "rows" / "SEED=1" / "retrieved.jsonl").read_text().count("\n") == 5
    (after,) = _table(folder / "runs.csv")
    assert after["model.best_validation_loss"] != before["model.best_validation_loss"]
    times = _times(folder)
    assert allennlp("sweep", changed, "-s", folder, "--force").status == 0 and times == _times(folder)


def test_a_checkpoint_of_other_settings(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "model" / "ARM=all,SEED=1"
    only = {"axes": {"ARM": ["all"], "SEED": [1]}}
    assert allennlp("sweep", sweep_config(only), "-s", tmp_path / "out").status == 0
    (folder / "step.json").unlink()
    shutil.rmtree(tmp_path / "out" / "test")
    changed = sweep_config(only, {"trainer.num_epochs": 2})
    result = allennlp("sweep", changed, "-s", tmp_path / "out")
    assert result.status == 1 and "trainer.num_epochs is 1 there and 2 here; --force starts again" in result.stderr
    assert allennlp("sweep", changed, "-s", tmp_path / "out", "--force").status == 0
    assert _metrics(folder)["epoch"] == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"colour": "red"}, "colour"),
        ({"steps.model.command": "trane"}, "'trane' is not there; did you mean \"train\"?"),
        ({"steps.model.config": "nowhere.jsonnet"}, "model/ARM=all,SEED=1: "),
        ({"steps.model.overrides": {"trainer.x.y": 1}}, "model/ARM=all,SEED=1: "),
        (
            {"steps.model.overrides": {"trainer.num_epoch": 1}},
            'model/ARM=all,SEED=1: "trainer.num_epoch" is no setting',
        ),
        ({"steps.test.input": "nowhere.jsonl"}, "nowhere.jsonl: no such file (test/ARM=all,SEED=1)"),
        ({"axes.SEED": ["one"]}, "model/ARM=all,SEED=one: "),
        ({"axes.SEED": None, "repeat": []}, "steps.rows.axes: 'SEED' is no axis"),
        ({"development": "model.acuracy"}, "model.acuracy: model has no number acuracy in metrics.json; there are: "),
    ],
)
def test_mistakes(changes: Any, message: str, sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    config = sweep_config({"axes.SEED": [1], "axes.ARM": ["all", "random"], **changes})
    result = allennlp("sweep", config, "-s", tmp_path / "out")
    assert result.status == 1 and "Traceback" not in result.stderr and message in result.stderr, result.stderr


def test_places_that_are_taken(sweep_config: Any, allennlp: Any, tmp_path: Path) -> None:
    config = sweep_config()
    result = allennlp("sweep", config, "-s", tmp_path)
    assert result.status == 1 and f"{tmp_path}: is there already and holds no sweep" in result.stderr
    folder = tmp_path / "out"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    result = allennlp("sweep", config, "-s", folder)
    os.close(handle)
    assert result.status == 1 and f"{folder}: another process is writing it" in result.stderr


def test_a_grid_in_which_nothing_is_made(tmp_path: Path, allennlp: Any, write_jsonl: Any) -> None:
    """A step's value that is misspelt, say: that is no sweep of no steps."""
    for values, message in ((["randm"], "'randm' is no value of the axis; did you mean \"random\"?"), ([], "is empty")):
        step = {"command": "build-pool", "config": "pool.jsonnet", "only": {"ARM": values}}
        settings = {"axes": {"ARM": ["random", "all"]}, "steps": {"rows": step}}
        (tmp_path / "sweep.jsonnet").write_text(json.dumps(settings))
        result = allennlp("sweep", tmp_path / "sweep.jsonnet", "-s", tmp_path / "grid")
        assert result.status == 1 and f"steps.rows.only.ARM: {message}" in result.stderr, result.stderr
        assert not (tmp_path / "grid").exists()
