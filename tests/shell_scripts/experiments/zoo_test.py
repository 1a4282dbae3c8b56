"""Which commands the script runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

ROOT = Path(__file__).parents[3]

# Instead of `allennlp`: a line for each command, with the variables that matter.
STUB = """#!/bin/sh
echo "$1 $(basename "$2") K=${K:-} TASK=${TASK:-} TEXT_PATH=${TEXT_PATH:-} READER=${READER:-}" \\
  "TEST=${TEST_DATA_PATH:-}" "SIZES=$(echo ${SIZES:-} | tr ' ' ,)" BATCH=${BATCH_SIZE:-} >> "$LOG"
[ "$1" != report ] || for section in "$@"; do echo "section $(basename -- "$section")" >> "$LOG"; done
"""
# And of `python`: all is fetched already.
PYTHON = f'#!/bin/sh\ncase $1 in *checkpoints.py) ;; *) exec {sys.executable} "$@" ;; esac\n'


def test_from_a_zoo_to_a_page(tmp_path: Path) -> None:
    binaries, log = tmp_path / "bin", tmp_path / "log"
    binaries.mkdir()
    for name, text in (("allennlp", STUB), ("python", PYTHON)):
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    (tmp_path / "zoo.json").write_text(json.dumps({"bert": {}, "t5": {}}))
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "LOG": str(log)}
    environment |= {"TASKS": "conll2003_ner conllx_pos", "KS": "1 2"}
    command = ["shell_scripts/experiments/zoo.sh", str(tmp_path), str(tmp_path / "runs")]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    tests = {task: f"{tmp_path}/tagging/{task}/test.txt" for task in ("conll2003_ner", "conllx_pos")}
    sections = ["report", *(f"{task}{of}" for task in tests for of in ("", "_singles"))]
    sections += ["chosen", "convergence", "similarity", "-s", "report", "--linkage", "ward", "--force"]
    assert _commands(log) == [
        {"command": "sweep features.jsonnet", "TEXT_PATH": f"{tmp_path}/probe.txt"},
        {"command": "similarity similarity.jsonnet"},
        {"command": "sweep sizes.jsonnet", "SIZES": "100,200,500,1000,2000,4000"},
        {"command": "compare-covariances compare_covariances.jsonnet"},
        {"command": "select select.jsonnet", "K": "2"},
        {"command": "sweep features.jsonnet", "TEXT_PATH": f"{tmp_path}/tagging/all.txt", "READER": "conll2003_ner"},
        *(
            {"command": f"sweep {config}.jsonnet", "TASK": task, "TEST": test, "BATCH": "8"}
            for task, test in tests.items()
            for config in ("compare_sets", "compare_singles")
        ),
        {"command": "report conll2003_ner", "TASK": "conllx_pos", "TEST": tests["conllx_pos"], "BATCH": "8"},
        *({"command": f"section {name}"} for name in sections),
    ]


def _commands(log: Path) -> List[Dict[str, str]]:
    found = []
    for line in log.read_text().splitlines():
        name, config, *variables = line.split()
        settings = dict(variable.split("=", 1) for variable in variables)
        found.append({"command": f"{name} {config}", **{key: value for key, value in settings.items() if value}})
    return found
