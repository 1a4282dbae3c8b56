"""The scripts as a user runs them: processes of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from attribution.rerankers import CrossEncoderReranker
from tests.mining.conftest import mixture

ROOT = Path(__file__).parents[3]


def test_mine_train_and_mine_again(tiny_model: Any, tiny_classifier: Any, write_jsonl: Any, tmp_path: Path) -> None:
    settings = {
        "POOL_PATH": write_jsonl("pool.jsonl", mixture()),
        "MODEL_NAME": tiny_model("t5"),
        "RERANKER_MODEL": tiny_classifier(),
        "RETRIEVER": "bm25",
        "SIZE": "2",
        "HELD_OUT": "2",
        "CANDIDATES": "6",
        "GROUP_SIZE": "3",
        "ROUNDS": "1",
        "POSITIVES": "2",
        "EPOCHS": "1",
        "MAX_LENGTH": "40",
    }
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **settings}
    script = ["shell_scripts/recross/bootstrap.sh", str(tmp_path / "run")]
    result = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for iteration in (0, 1):
        assert json.loads((tmp_path / "run" / f"tuples_{iteration}" / "tuples.json").read_text())["train"] == 1
        assert (tmp_path / "run" / f"reranker_{iteration}" / "model.tar.gz").is_file()
    manifest = json.loads((tmp_path / "run" / "tuples_1" / "manifest.json").read_text())
    assert manifest["configuration"]["miner"]["reranker"]["model"] == str(tmp_path / "run" / "reranker_0")
    assert (tmp_path / "run" / "index" / "manifest.json").is_file()
    # The last one does not need the one that it started from.
    shutil.rmtree(tmp_path / "run" / "reranker_0")
    assert CrossEncoderReranker(str(tmp_path / "run" / "reranker_1"), 1).score(["a cat"], ["a dog"]).shape == (1, 1)
