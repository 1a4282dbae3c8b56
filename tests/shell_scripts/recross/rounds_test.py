"""The script as a user runs it, with a tiny model; and which commands it runs."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from tests.conftest import ROWS

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[3]
SCRIPT = "shell_scripts/recross/rounds.sh"

# Instead of `allennlp`: a line for each command, with the variables that matter, and an archive where it would train.
STUB = """#!/usr/bin/env bash
echo "$1 $(basename "$2") MODEL_NAME=$MODEL_NAME RERANKER=${RERANKER:-} SIZE=${SIZE:-} EPOCHS=${EPOCHS:-}" >> "$LOG"
if [ "$1" = train ]; then mkdir -p "$4" && touch "$4/model.tar.gz"; fi
"""


def _rows(task: str, word: str) -> List[Dict[str, Any]]:
    templates = ["one", "two"] * 12
    return [
        {**row, "input": f"{row['input']} {word}", "task": task, "template": template}
        for row, template in zip(ROWS, templates)
    ][:6]


def test_from_a_pool_to_a_page(tiny_model: Any, tiny_classifier: Any, write_jsonl: Any, tmp_path: Path) -> None:
    for target, word in (("cb", "red"), ("wic", "blue")):
        write_jsonl(f"{target}.jsonl", _rows(f"super_glue-{target}", word))
        write_jsonl(f"{target}_test.jsonl", _rows(f"super_glue-{target}", f"the {word}"))
    settings = {
        "POOL_PATH": write_jsonl("pool.jsonl", _rows("imdb", "cat") + _rows("ag_news", "dog")),
        "UPSTREAM": tiny_model("bart"),
        "RERANKER": tiny_classifier(),
        "TARGETS": "cb wic",
        "TARGET_PATH": f"{tmp_path}/{{TARGET}}.jsonl",
        "TEST_PATH": f"{tmp_path}/{{TARGET}}_test.jsonl",
        "ARMS": "none bart0_rerank",
        "ROUNDS": "2",
        "QUERY_SIZE": "2",
        "SIZE": "4",
        "NUM_BEAMS": "1",
    }
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **settings}
    script = [SCRIPT, str(tmp_path / "run")]
    result = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    rounds = tmp_path / "run" / "rounds"
    with (rounds / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["TARGET"], row["ARM"], row["n"]) for row in rows] == [
        (target, arm, "2") for arm in ("none", "bart0_rerank") for target in ("cb", "wic")
    ]
    place = "ARM=bart0_rerank,ROUND=1,TARGET=cb"
    assert len((rounds / "rows" / place / "retrieved.jsonl").read_text().splitlines()) == 4
    predictions = (rounds / "test" / place / "predictions.jsonl").read_text().splitlines()
    assert len(predictions) == 6 and {"id", "generated_text"} <= json.loads(predictions[0]).keys()
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    for title in (
        "test.soft_exact_match: over ARM=none",
        "test.soft_exact_match: over ROUND",
        "test.soft_exact_match by group",
        "Retrieved tasks, ARM=bart0_rerank",
        "Retrieved rows of rows",
    ):
        assert title in page, title


def test_upstream_and_reranker_are_trained_where_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "allennlp").write_text(STUB)
    (tmp_path / "bin" / "allennlp").chmod(0o755)

    def commands(**variables: str) -> List[str]:
        (tmp_path / "log").unlink(missing_ok=True)
        environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
        settings = {"POOL_PATH": "pool", "MODEL_NAME": "bart", "SIZE": "64", "EPOCHS": "1", "BOOTSTRAP": "EPOCHS=5"}
        subprocess.run([SCRIPT, "out"], cwd=tmp_path, env={**environment, **settings, **variables}, check=True)
        return (tmp_path / "log").read_text().splitlines()

    (tmp_path / "shell_scripts").symlink_to(ROOT / "shell_scripts")
    upstream = "MODEL_NAME=out/upstream/transformer"
    reranker = "RERANKER=out/bootstrap/reranker_0"
    assert commands(ARMS="none bart0_rerank") == [
        "train upstream.jsonnet MODEL_NAME=bart RERANKER= SIZE=64 EPOCHS=1",
        f"mine-tuples mine_loss.jsonnet {upstream} RERANKER= SIZE= EPOCHS=5",
        "train reranker.jsonnet MODEL_NAME=roberta-base RERANKER= SIZE= EPOCHS=5",
        f"sweep rounds.jsonnet {upstream} {reranker} SIZE=64 EPOCHS=1",
        f"report rounds {upstream} {reranker} SIZE=64 EPOCHS=1",
    ]
    given = commands(ARMS="none bart0_rerank", UPSTREAM="bart0", RERANKER="mine")
    assert [line.split()[0] for line in given] == ["sweep", "report"] and "RERANKER=mine" in given[0]
    assert [line.split()[0] for line in commands(ARMS="none bart0")] == ["sweep", "report"]
