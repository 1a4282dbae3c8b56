"""Weight ensembling from tuning to learned weights, by its configurations alone."""

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from attribution.similarity import SimilarityMatrix

CONFIGS = Path(__file__).parents[2] / "training_config" / "weight_ensembling"
GYM = Path(__file__).parents[1] / "fixtures" / "fewshot_gym"


def test_tuned_merged_by_learned_weights_and_tuned_again(
    tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, allennlp: Any, tmp_path: Path
) -> None:
    for name, value in {
        "GYM": str(GYM),
        "MODEL_NAME": tiny_model("t5"),
        "SHOT_SEED": "13",
        "DELTA": "lora",
        "SIZE": "2",
        "METRIC": "loss",
        "UPDATES": "2",
        "VALIDATE_EVERY": "2",
        "DELTAS": str(tmp_path / "runs" / "*"),
        "WEIGHTING": "learned",
        "EVALUATIONS": "6",
        "EXAMPLES": str(GYM),
        "SEEDS": "13",
        "MAX_EXAMPLES": "2",
    }.items():
        monkeypatch.setenv(name, value)
    for task in ("boolq", "web_questions"):
        monkeypatch.setenv("TASK", task)
        result = allennlp("train", CONFIGS / "tune.jsonnet", "-s", tmp_path / "runs" / task)
        assert result.status == 0, result.stderr
    result = allennlp("ensemble", CONFIGS / "ensemble.jsonnet", "-s", tmp_path / "merged")
    assert result.status == 0, result.stderr
    matrix = SimilarityMatrix.load(tmp_path / "merged" / "weights.npz")
    assert matrix.targets == matrix.sources == ["boolq", "web_questions"]
    assert np.abs(matrix.scores).max() <= 1.5 and not matrix.scores.diagonal().any()
    monkeypatch.setenv("DELTA_WEIGHTS", str(tmp_path / "merged" / "web_questions"))
    result = allennlp("train", CONFIGS / "tune.jsonnet", "-s", tmp_path / "tuned")
    assert result.status == 0, result.stderr
    assert "best_validation_loss" in json.loads((tmp_path / "tuned" / "metrics.json").read_text())
