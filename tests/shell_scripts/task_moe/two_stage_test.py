"""Which commands the script runs; tests/training_config/task_moe_test.py runs them on a tiny model."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = "shell_scripts/task_moe/two_stage.sh"

# Instead of `allennlp`: a line for each command, with the variables that matter, and an archive where it would train.
STUB = """#!/usr/bin/env bash
echo "$1 $(basename "$2") ${SELECTOR:-} ${UPDATES:-} ${EVERY:-} ${RATE:-} ${TASK_METRICS:-} $4" >> "$LOG"
if [ "$1" = train ]; then mkdir -p "$4" && touch "$4/model.tar.gz"; fi
"""


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
        "TASK_METRICS": "own.json",
        "DEV_METRICS": "",
    }
    for _ in range(2):
        subprocess.run([SCRIPT, str(tmp_path / "runs")], cwd=ROOT, env=settings, check=True)
    lines = [line.replace(str(tmp_path), "") for line in (tmp_path / "log").read_text().splitlines()]
    assert [" ".join(line.split()) for line in lines[1:6]] == [
        "train stage_one.jsonnet 30000 750 /runs/models/stage_one",
        "train stage_two.jsonnet 30000 3000 0.0002 /runs/models/stage_two",
        "train stage_one.jsonnet uniform 30000 3000 /runs/models/uniform",
        "train stage_one.jsonnet task_random 30000 3000 /runs/models/task_random",
        "train stage_one.jsonnet multi_task 0 /runs/models/base",
    ]
    commands = ["embed-tasks", "routes", "sweep", "report"]
    assert [line.split()[0] for line in lines[6:]] == ["routes", "sweep", "report", *commands]
    assert all(("own.json" in line) == (line.split()[0] != "train") for line in lines)
