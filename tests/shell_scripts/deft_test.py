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


def test_they_are_three_lines() -> None:
    scripts = sorted((ROOT / "shell_scripts" / "deft").glob("*.sh"))
    assert [script.name for script in scripts] == ["bm25.sh", "dense.sh", "random.sh"]
    for script in scripts:
        lines = script.read_text().splitlines()
        assert len([line for line in lines if not line.startswith(("#", "set "))]) == 3
