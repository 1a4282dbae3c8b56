"""The script as a user runs it, with a tiny model; and which commands it runs."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from attribution.similarity import TaskRoutes

ROOT = Path(__file__).parents[3]
SCRIPT = "shell_scripts/task_moe/two_stage.sh"

# Instead of `allennlp`: a line for each command, with the variables that matter, and an archive where it would train.
STUB = """#!/usr/bin/env bash
echo "$1 $(basename "$2") ${SELECTOR:-} ${UPDATES:-} ${EVERY:-} ${RATE:-} $4" >> "$LOG"
if [ "$1" = train ]; then mkdir -p "$4" && touch "$4/model.tar.gz"; fi
"""


def test_from_a_gym_to_a_page(tiny_model: Any, tmp_path: Path) -> None:
    (tmp_path / "split.json").write_text(json.dumps({"train": ["boolq"]}))
    settings = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GYM": str(ROOT / "tests" / "fixtures" / "fewshot_gym"),
        "TASK_SPLIT": str(tmp_path / "split.json"),
        "TASKS": "web_questions",
        "MODEL_NAME": tiny_model("bart"),
        "BASELINES": "instance_random",
        "STAGE_ONE_UPDATES": "1",
        "STAGE_TWO_UPDATES": "2",
        "STAGE_ONE_EVERY": "1",
        "STAGE_TWO_EVERY": "1",
        "UPDATES": "1",
        "VALIDATE_EVERY": "1",
        "BATCH_SIZES": "2",
        "RATES": "0.01",
        "SEEDS": "13",
        "SHOT_SEEDS": "13",
        "ANSWER_PREFIX": "",
    }
    runs = tmp_path / "runs"
    run = subprocess.run([SCRIPT, str(runs)], cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    routes = TaskRoutes.load(runs / "routes" / "routes.npz")
    assert routes.tasks == ["boolq", "web_questions"] and list(routes.categories) == ["qa", "qa"]
    # Of two updates the temperature is 1 after the second; after the first the routes are nearly equal.
    assert (runs / "routes" / "routes.gif").is_file()
    first = TaskRoutes.load(runs / "routes" / "epochs" / "epoch_0.npz").weights
    assert np.abs(first - 1 / 3).max() < np.abs(routes.weights - 1 / 3).max()
    with (runs / "few_shot" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["TASK"], row["INIT"], row["n"]) for row in rows] == [
        ("web_questions", init, "1") for init in ("base", "learned", "instance_random")
    ]
    assert [row["zero_shot.fewshot_gym_mean"] != "" for row in rows] == [False, True, True]
    assert all(row["test.fewshot_gym_mean"] for row in rows)
    assert "zero_shot.fewshot_gym" in (runs / "report" / "index.html").read_text()


def test_baselines_are_trained_as_long_as_stage_two_and_nothing_is_made_twice(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "allennlp").write_text(STUB)
    (tmp_path / "bin" / "allennlp").chmod(0o755)
    settings = {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "LOG": str(tmp_path / "log"),
        "MODEL_NAME": "bart",
        "BASELINES": "uniform task_random",
        "STAGE_TWO_UPDATES": "30000",
    }
    for _ in range(2):
        subprocess.run([SCRIPT, str(tmp_path / "runs")], cwd=ROOT, env=settings, check=True)
    lines = [line.replace(str(tmp_path), "") for line in (tmp_path / "log").read_text().splitlines()]
    assert [" ".join(line.split()) for line in lines[1:5]] == [
        "train stage_one.jsonnet 30000 750 /runs/stage_one",
        "train stage_two.jsonnet 30000 3000 0.0002 /runs/models/learned",
        "train stage_one.jsonnet uniform 30000 3000 /runs/models/uniform",
        "train stage_one.jsonnet task_random 30000 3000 /runs/models/task_random",
    ]
    commands = ["embed-tasks", "routes", "sweep", "report"]
    assert [line.split()[0] for line in lines[5:]] == ["routes", "sweep", "report", *commands]
