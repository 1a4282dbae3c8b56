"""The tasks of the experiment are those that the gym is made of."""

import json
from pathlib import Path

from _jsonnet import evaluate_file

CONFIGS = Path(__file__).parents[3] / "training_config" / "experiments"


def test_every_task_has_its_group_and_is_seen_or_not() -> None:
    tasks = json.loads(evaluate_file(str(CONFIGS / "tasks.libsonnet")))
    groups = json.loads((CONFIGS / "task_groups.json").read_text())
    assert {task: group for group in groups for task in groups[group]} == {
        task: settings["group"] for task, settings in tasks.items()
    }
    split = json.loads((CONFIGS / "split.json").read_text())
    assert sorted(split["train"] + split["test"]) == sorted(tasks)
    script = CONFIGS.parents[1] / "shell_scripts" / "experiments" / "experts.sh"
    assert f"TASKS='{' '.join(split['test'])}'" in script.read_text()
