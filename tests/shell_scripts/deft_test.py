"""The scripts as a user runs them: processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

from tests.conftest import ROWS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["bm25"])
def test_from_a_pool_to_the_value_after_the_last_epoch(
    name: str, tiny_model: Callable[[str], str], write_jsonl: Callable[..., str], tmp_path: Path
) -> None:
    rows = write_jsonl("rows.jsonl", ROWS)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "POOL_PATH": rows,
        "QUERY_PATH": rows,
        "MODEL_NAME": tiny_model("t5"),
        "EPOCHS": "3",
    }
    script = ["shell_scripts/deft/" + name + ".sh", str(tmp_path / "run"), rows]
    subprocess.run(script, cwd=ROOT, env=environment, check=True, capture_output=True)
    trained = json.loads((tmp_path / "run" / "model" / "metrics.json").read_text())
    evaluated = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert trained["epoch"] == 2
    assert evaluated["loss"] == pytest.approx(trained["validation_loss"], abs=1e-5)
    assert evaluated["accuracy"] == pytest.approx(trained["validation_accuracy"])


def test_few_shots_after_retrieval(
    tiny_model: Callable[[str], str], write_jsonl: Callable[..., str], tmp_path: Path
) -> None:
    shots, test = write_jsonl("shots.jsonl", ROWS[:8]), write_jsonl("test.jsonl", ROWS[8:16])
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "POOL_PATH": write_jsonl("pool.jsonl", ROWS),
        "RETRIEVER": "bm25",
        "MODEL_NAME": tiny_model("t5_gated"),
        "EPOCHS": "2",
        "STEPS": "4",
        "WARMUP": "1",
    }
    script = ["shell_scripts/deft/few_shot.sh", str(tmp_path / "run"), shots, test]
    subprocess.run(script, cwd=ROOT, env=environment, check=True, capture_output=True)
    assert "validation_accuracy" in json.loads((tmp_path / "run" / "few_shot" / "metrics.json").read_text())
    # IA3 is tuned on the model that was trained on retrieved rows, as it was after the last epoch.
    config = json.loads((tmp_path / "run" / "few_shot" / "config.json").read_text())
    epochs = sorted((tmp_path / "run" / "model").glob("model_state_e*.th"), key=lambda path: path.stat().st_mtime)
    assert config["model"]["load_from_file"] == str(epochs[-1])
    assert (tmp_path / "run" / "few_shot" / "adapter_config.json").is_file()


def test_they_are_three_lines() -> None:
    scripts = sorted((ROOT / "shell_scripts" / "deft").glob("*.sh"))
    assert [script.name for script in scripts] == ["bm25.sh", "dense.sh", "few_shot.sh", "random.sh"]
    for script in scripts:
        lines = script.read_text().splitlines()
        assert len([line for line in lines if not line.startswith(("#", "set "))]) == 3
