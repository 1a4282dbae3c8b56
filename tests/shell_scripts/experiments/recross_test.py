"""Which commands the script runs, and with what."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]

# Instead of `allennlp`: a line for each command, and an archive where it would train.
STUB = """#!/usr/bin/env bash
echo "$1 $(basename "$2") ${MODEL_NAME:-} ${SIZE:-} ${LEARNING_RATE:-} ${RERANKER:-}" >> "$LOG"
if [ "$1" = train ]; then mkdir -p "$4" && touch "$4/model.tar.gz"; fi
"""


def test_five_arms_and_one_page(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "allennlp").write_text(STUB)
    (tmp_path / "bin" / "allennlp").chmod(0o755)
    (tmp_path / "shell_scripts").symlink_to(ROOT / "shell_scripts")
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    command = ["shell_scripts/experiments/recross.sh", "minilm", "p3", "base", "runs"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    # The bootstrap has its own size and rate.
    assert (tmp_path / "log").read_text().splitlines() == [
        "build-pool build_pool.jsonnet  64 3e-4 ",
        "mine-tuples mine_loss.jsonnet base 16 5e-5 ",
        "train reranker.jsonnet minilm 16 5e-5 ",
        "sweep rounds.jsonnet base 64 3e-4 runs/bootstrap/reranker_0",
        "report rounds base 64 3e-4 runs/bootstrap/reranker_0",
    ]
