import gzip
import json
import subprocess
import sys
from pathlib import Path

from _jsonnet import evaluate_file

ROOT = Path(__file__).parents[3]
TASKS = json.loads(evaluate_file(str(ROOT / "training_config" / "experiments" / "tasks.libsonnet")))


def _split(tmp_path: Path, rows_of_each: int) -> "subprocess.CompletedProcess[str]":
    rows = [
        {"id": f"{task} {number}", "task": task, "template": template, "input": f"{number // 2}", "target": "x"}
        for task, settings in TASKS.items()
        for template in (settings["template"], "another")
        for number in range(rows_of_each * 2)  # Each input twice.
    ]
    with gzip.open(tmp_path / "pool.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    command = [sys.executable, "shell_scripts/experiments/split_tasks.py"]
    return subprocess.run(
        [*command, str(tmp_path / "pool.jsonl.gz"), str(tmp_path / "out")], cwd=ROOT, capture_output=True, text=True
    )


def test_rows_of_one_wording_none_in_both(tmp_path: Path) -> None:
    assert _split(tmp_path, 310).returncode == 0
    for task, settings in TASKS.items():
        splits = [
            [json.loads(line) for line in (tmp_path / "out" / task / f"{name}.jsonl").open()]
            for name in ("train", "test")
        ]
        assert [len(rows) for rows in splits] == [160, 150]
        assert len({row["input"] for rows in splits for row in rows}) == 310
        assert {(row["task"], row["template"]) for rows in splits for row in rows} == {(task, settings["template"])}


def test_too_few_rows(tmp_path: Path) -> None:
    run = _split(tmp_path, 299)
    assert run.returncode == 1 and "299 rows of" in run.stderr
