"""The sweep of the documentation, with an arm that is not trained, and its page."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROWS

CONFIG = Path(__file__).parents[2] / "training_config" / "sweep" / "sweep.jsonnet"


def test_from_rows_to_the_page(allennlp: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    for name in ("pool.jsonl", "rows/films/queries.jsonl", "rows/films/dev.jsonl", "rows/films/test.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    variables = {"POOL_PATH": "pool.jsonl", "MODEL_NAME": tiny_model("t5"), "ROWS": "rows", "TASKS": "films"}
    variables |= {"EPOCHS": "1", "SIZE": "8", "SEEDS": "13", "RATES": "0.01 0.001"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = allennlp("sweep", CONFIG, "-s", "runs")
    assert result.status == 0, result.stderr
    with (tmp_path / "runs" / "results.csv").open() as file:
        rows = {row["ARM"]: row for row in csv.DictReader(file)}
    none = json.loads((tmp_path / "runs/test/ARM=none,LEARNING_RATE=0.01,SEED=13,TASK=films/metrics.json").read_text())
    assert float(rows["none"]["test.accuracy_mean"]) == none["accuracy"] and rows["none"]["n"] == "1"
    assert rows["none"]["LEARNING_RATE"] == "" and rows["bm25"]["LEARNING_RATE"] in ("0.01", "0.001")
    result = allennlp("report", "runs", "--rows", "TASK", "--columns", "ARM", "--baseline", "ARM=none", "-s", "page")
    assert result.status == 0, result.stderr
    assert "test.accuracy: over ARM=none" in (tmp_path / "page" / "index.html").read_text()

    (tmp_path / "rows/films/test.jsonl").unlink()
    result = allennlp("sweep", CONFIG, "-s", "more")
    assert result.status == 1 and "rows/films/test.jsonl: no such file (test/" in result.stderr
    assert not (tmp_path / "more").exists()
