"""Which commands the script runs."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]

# Instead of `allennlp`: a line for each command, with the variables that matter.
STUB = """#!/bin/sh
echo "$* VECTORS=${VECTORS:-} FEATURES=${FEATURES:-} KAPPA=${COVARIANCE_PATH:-} EPOCHS=${EPOCHS:-} \\
BATCH=${BATCH_SIZE:-} IMAGES=$IMAGES_PATH" >> "$LOG"
"""


def test_from_images_to_a_page(tmp_path: Path) -> None:
    (tmp_path / "allennlp").write_text(STUB)
    (tmp_path / "allennlp").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(tmp_path / "log")}
    environment |= {"EPOCHS": "20", "BATCH_SIZE": "64"}
    command = ["shell_scripts/experiments/agents.sh", "cifar", "runs", "-o", '{"axes.CHECKPOINT": ["agent000"]}']
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    configs = "training_config/checkpoint_zoo"
    kappa, features = "runs/similarity/similarity.npz", "runs/agents/tasks/CHECKPOINT=*"
    assert (tmp_path / "log").read_text().splitlines() == [
        f'sweep {configs}/agents.jsonnet -s runs/agents -o {{"axes.CHECKPOINT": ["agent000"]}} VECTORS= FEATURES= '
        "KAPPA= EPOCHS=20 BATCH=64 IMAGES=cifar",
        f"similarity {configs}/similarity.jsonnet -s runs/similarity VECTORS=runs/agents/probe/CHECKPOINT=* FEATURES= "
        "KAPPA= EPOCHS=20 BATCH= IMAGES=cifar",
        f"compare-agents {configs}/compare_agents.jsonnet -s runs/compared VECTORS= FEATURES={features} KAPPA={kappa} "
        "EPOCHS= BATCH=64 IMAGES=cifar",
        f"report runs/compared runs/similarity -s runs/report --linkage ward --force VECTORS= FEATURES={features} "
        f"KAPPA={kappa} EPOCHS=20 BATCH=64 IMAGES=cifar",
    ]
