"""The script as a user runs it, with a tiny model; and which commands it runs."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from tests.conftest import ROWS

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[3]
SCRIPT = "shell_scripts/recross/recross.sh"

# Instead of `allennlp`: a line for each command, with the variables that matter, and what it would leave.
STUB = """#!/usr/bin/env bash
while [ "$#" -gt 0 ]; do case $1 in -s) out=$2 ;; *.jsonnet) config=$1 ;; esac; all="${all:-$1}"; shift; done
echo "$all $(basename "${config:-}") POOL_PATH=${POOL_PATH:-} MODEL_NAME=$MODEL_NAME RERANKER=${RERANKER:-} \
SIZE=${SIZE:-} EPOCHS=${EPOCHS:-} TUPLES_PATH=${TUPLES_PATH:-} BI_ENCODER=${BI_ENCODER:-} \
VECTORS=${VECTORS_PATH:-}${VECTORS_BART0:-} EXCLUDE_TASKS_OF=${EXCLUDE_TASKS_OF:-}" >> "$LOG"
mkdir -p "$out"
if [ "$all" = train ]; then touch "$out/model.tar.gz"; fi
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
    assert len(predictions) == 6 and {"id", "answer", "target"} <= json.loads(predictions[0]).keys()
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    for title in (
        "test.soft_exact_match: over ARM=none",
        "test.soft_exact_match: over ROUND",
        "test.soft_exact_match by group",
        "Retrieved tasks, ARM=bart0_rerank",
        "Retrieved rows of rows",
    ):
        assert title in page, title


Commands = Callable[..., List[Dict[str, str]]]


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """The script's commands: their name and configuration under `run`, and the variables that they saw."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "allennlp").write_text(STUB)
    (tmp_path / "bin" / "allennlp").chmod(0o755)
    (tmp_path / "shell_scripts").symlink_to(ROOT / "shell_scripts")

    def run(**variables: str) -> List[Dict[str, str]]:
        (tmp_path / "log").unlink(missing_ok=True)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
        settings = {
            "MODEL_NAME": "bart",
            "SIZE": "64",
            "EPOCHS": "1",
            "TARGETS": "cb wic",
            "TEST_PATH": "{TARGET}.test",
        }
        subprocess.run([SCRIPT, "out"], cwd=tmp_path, env={**environment, **settings, **variables}, check=True)
        seen = []
        for line in (tmp_path / "log").read_text().splitlines():
            names = re.split(r" (?=[A-Z_0-9]+=)", line)
            seen.append({"run": names[0].strip(), **dict(name.split("=", 1) for name in names[1:])})
        return seen

    return run


def test_the_whole_chain(commands: Commands) -> None:
    seen = commands(POOL_SOURCE="upstream.json", ARMS="none bart0_rerank", BOOTSTRAP="EPOCHS=5", ITERATIONS="2")
    assert [one["run"] for one in seen] == [
        "build-pool build_pool.jsonnet",
        "train upstream.jsonnet",
        "embed embed.jsonnet",
        *("mine-tuples mine_loss.jsonnet", "train reranker.jsonnet") * 2,
        "sweep rounds.jsonnet",
        "report",
    ]
    assert seen[0]["EXCLUDE_TASKS_OF"] == "cb.test wic.test"
    assert {one["POOL_PATH"] for one in seen[1:]} == {"out/pool/pool.jsonl"}
    upstream, bootstrap, sweep = seen[1], seen[2:7], seen[7]
    assert (upstream["MODEL_NAME"], sweep["MODEL_NAME"]) == ("bart", "out/upstream/transformer")
    mined = [one["MODEL_NAME"] for one in bootstrap]
    assert mined == [*["out/upstream/transformer"] * 2, "roberta-base", "out/upstream/transformer", "roberta-base"]
    # The sweep's settings are not those of the bootstrap, and its vectors serve the sweep.
    assert {(one["SIZE"], one["EPOCHS"]) for one in bootstrap} == {("", "5")}
    assert {one["VECTORS"] for one in (*bootstrap, sweep)} == {"out/bootstrap/vectors"}
    assert [one["RERANKER"] for one in bootstrap[1::2]] == ["", "out/bootstrap/reranker_0"]
    assert (sweep["SIZE"], sweep["EPOCHS"], sweep["RERANKER"]) == ("64", "1", "out/bootstrap/reranker_1")


def test_only_what_the_arms_need_is_made(commands: Commands) -> None:
    last = ["sweep rounds.jsonnet", "report"]
    given = {"POOL_PATH": "pool", "UPSTREAM": "bart0"}
    seen = commands(ARMS="none bart0_rerank", RERANKER="mine", **given)
    assert [one["run"] for one in seen] == last and seen[0]["RERANKER"] == "mine"
    assert [one["run"] for one in commands(**given)] == last
    seen = commands(ARMS="sbert_rerank", BOOTSTRAP="FIRST_MINER=groups", **given)
    assert [one["run"] for one in seen] == ["mine-tuples mine_groups.jsonnet", "train reranker.jsonnet", *last]
    seen = commands(ARMS="none bi_encoder", BOOTSTRAP="RETRIEVER=bm25", BI_ENCODER_SETTINGS="EPOCHS=3", **given)
    mining = ["mine-tuples mine_loss.jsonnet", "train reranker.jsonnet"]
    assert [one["run"] for one in seen] == [*mining, "train bi_encoder.jsonnet", *last]
    assert seen[2]["TUPLES_PATH"] == "out/bootstrap/tuples_0/train.jsonl" and seen[2]["EPOCHS"] == "3"
    assert seen[3]["BI_ENCODER"] == "out/bi_encoder" and seen[3]["EPOCHS"] == "1"


def test_an_unknown_arm_stops_before_anything_is_made(commands: Commands, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        commands(POOL_SOURCE="upstream.json", ARMS="none bm52_rerank")
    assert not (tmp_path / "log").exists()
