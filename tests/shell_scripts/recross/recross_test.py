"""The script as a user runs it, with a tiny model; and which commands it runs for each mode."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from tests.conftest import ROWS

ROOT = Path(__file__).parents[3]
SCRIPT = "shell_scripts/recross/recross.sh"

# Instead of `allennlp`: a line for each command, with the variables that matter, and an archive where it would train.
STUB = """#!/usr/bin/env bash
echo "$1 $(basename "$2") ARM=$ARM MODE=$MODE ROUND=$ROUND MODEL_NAME=$MODEL_NAME WEIGHTS_NAME=${WEIGHTS_NAME:-} \
QUERY_PATH=${QUERY_PATH:-} RETRIEVED_PATH=${RETRIEVED_PATH:-} VECTORS_PATH=${VECTORS_PATH:-}" >> "$LOG"
if [ "$1" = train ]; then mkdir -p "$4" && touch "$4/model.tar.gz"; fi
"""


def _rows(task: str, first: int) -> List[Dict[str, Any]]:
    return [
        {**row, "input": f"{row['input']} {word}", "task": task, "template": template}
        for row, word, template in zip(ROWS, ["red", "green", "blue", "cat"] * 6, ["one", "two"] * 12)
    ][first : first + 8]


def test_one_round(tiny_model: Callable[[str], str], write_jsonl: Callable[..., str], tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "POOL_PATH": write_jsonl("pool.jsonl", _rows("app_reviews", 0)),
        "UPSTREAM": tiny_model("bart"),
        "ARM": "bm25",
        "ROUNDS": "1",
        "QUERY_SIZE": "3",
        "SIZE": "4",
        "EXTRA_BOS": "true",
    }
    target, test = write_jsonl("target.jsonl", _rows("imdb", 8)), write_jsonl("test.jsonl", _rows("imdb", 16))
    run = subprocess.run(
        [SCRIPT, str(tmp_path / "out"), target, test], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    found = tmp_path / "out" / "round_0" / "bm25_unsupervised"
    values = json.loads((found / "test.json").read_text())
    assert {"soft_exact_match", "soft_exact_match/one", "soft_exact_match/two"} <= set(values)
    predictions = [json.loads(line) for line in (found / "predictions.jsonl").read_text().splitlines()]
    assert len({row["id"] for row in predictions}) == 8 and all("generated_text" in row for row in predictions)
    assert (tmp_path / "out" / "round_0" / "rows_bm25" / "retrieved.jsonl").read_text().count("\n") == 4


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., List[Dict[str, str]]]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "allennlp").write_text(STUB)
    (tmp_path / "bin" / "allennlp").chmod(0o755)

    def commands(**variables: str) -> List[Dict[str, str]]:
        (tmp_path / "log").unlink(missing_ok=True)
        environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "LOG": str(tmp_path / "log"), "ROUNDS": "2"}
        script = [SCRIPT, str(tmp_path / "out"), "target.jsonl", "test.jsonl"]
        subprocess.run(script, cwd=ROOT, env={**environment, "POOL_PATH": "pool", **variables}, check=True)
        lines = [line.split(" ") for line in (tmp_path / "log").read_text().splitlines()]
        return [{"command": " ".join(line[:2]), **dict(word.split("=", 1) for word in line[2:])} for line in lines]

    return commands


def test_rounds_of_a_dense_arm(log: Any, tmp_path: Path) -> None:
    commands = log(UPSTREAM="bart0", ARM="bart0")
    each = [
        "build-pool target.jsonnet",
        "retrieve retrieve.jsonnet",
        "train generalise.jsonnet",
        "evaluate model.tar.gz",
    ]
    assert [one["command"] for one in commands] == ["build-pool target.jsonnet", "embed embed.jsonnet", *each, *each]
    assert [one["ROUND"] for one in commands[2:]] == ["0"] * 4 + ["1"] * 4
    assert {one["MODEL_NAME"] for one in commands} == {"bart0"}
    assert {one["VECTORS_PATH"] for one in commands[2:]} == {f"{tmp_path}/out/vectors_bart0"}
    queries = [one["QUERY_PATH"] for one in commands if one["command"].startswith("retrieve")]
    assert queries == [f"{tmp_path}/out/round_{number}/queries/pool.jsonl" for number in range(2)]


def test_a_reranked_arm_has_the_vectors_of_its_encoder(log: Any, tmp_path: Path) -> None:
    commands = log(UPSTREAM="bart0", ARM="bart0_rerank", ROUNDS="1")
    arms = {one["command"]: one["ARM"] for one in commands}
    assert arms["embed embed.jsonnet"] == "bart0" and arms["retrieve retrieve.jsonnet"] == "bart0_rerank"
    assert commands[-1]["VECTORS_PATH"] == f"{tmp_path}/out/vectors_bart0"
    assert "bart0_rerank" in commands[-1]["RETRIEVED_PATH"]


def test_two_stages_start_from_the_first_one_of_their_own_round(log: Any, tmp_path: Path) -> None:
    trained = [
        one for one in log(ARM="random", MODE="two_stage", MODEL_NAME="bart") if one["command"].startswith("train")
    ]
    assert trained[0]["command"] == "train upstream.jsonnet" and trained[0]["MODEL_NAME"] == "bart"
    assert [(one["ROUND"], one["MODE"]) for one in trained[1:]] == [
        (number, mode) for number in "01" for mode in ("unsupervised", "two_stage")
    ]
    weights = [f"{tmp_path}/out/round_{number}/random_unsupervised/best.th" for number in range(2)]
    assert [one["WEIGHTS_NAME"] for one in trained[1:]] == ["", weights[0], "", weights[1]]
    assert {one["MODEL_NAME"] for one in trained[1:]} == {f"{tmp_path}/out/upstream/transformer"}
    # What is there is not made again.
    again = [one["command"] for one in log(ARM="random", MODE="two_stage", MODEL_NAME="bart")]
    assert not any(command.startswith("train") for command in again)


def test_none_retrieves_nothing(log: Any) -> None:
    commands = {one["command"].split()[0] for one in log(UPSTREAM="bart0", ARM="none", MODE="none")}
    assert commands == {"build-pool", "train", "evaluate"}
