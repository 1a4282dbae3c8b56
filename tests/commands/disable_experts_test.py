"""Experts switched off, one after the other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attribution.similarity import SimilarityMatrix

ROOT = Path(__file__).parents[2]
GYM = ROOT / "tests" / "fixtures" / "fewshot_gym"
CONFIG = ROOT / "training_config" / "task_moe" / "disable_experts.jsonnet"


def test_effects(
    train_config: Any, tiny_model: Any, allennlp: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = {"type": "fewshot_gym", "model_name": tiny_model("t5"), "seeds": [13]}
    changes = {
        "dataset_reader": reader,
        "validation_dataset_reader": reader,
        "train_data_path": str(GYM),
        "validation_data_path": str(GYM),
        "model.type": "task_moe_seq2seq",
        "model.experts": {"type": "feed_forward", "count": 2, "noise": 0.5},
        "model.router": {"type": "linear", "hidden_size": 4},
        "model.task_vectors": {"type": "random", "size": 4},
        "trainer.num_epochs": 1,
    }
    assert allennlp("train", train_config(changes), "-s", tmp_path / "run").status == 0
    monkeypatch.setenv("GYM", str(GYM))
    monkeypatch.setenv("ARCHIVE", str(tmp_path / "run" / "model.tar.gz"))
    result = allennlp("disable-experts", CONFIG, "-s", tmp_path / "out")
    assert result.status == 0, result.stderr
    effects = SimilarityMatrix.load(tmp_path / "out" / "effects.npz")
    assert effects.targets == ["boolq", "web_questions"] and not effects.higher_is_better
    assert effects.sources[:2] == ["encoder.block.0 expert 0", "encoder.block.0 expert 1"]
    # Each layer has one expert that a task takes: without it something changes, without the other nothing.
    assert ((effects.scores.reshape(2, 4, 2) != 0).sum(2) == 1).all()
    expert = int(np.flatnonzero(effects.scores[1])[0])

    # The same, as AllenNLP evaluates.
    losses = []
    for disabled in ([], [[expert // 2, expert % 2]]):
        overrides = {
            "validation_dataset_reader": {**reader, "split": "test", "task": "web_questions"},
            "model.selector": {"type": "straight_through", "disabled": disabled},
        }
        output = tmp_path / f"{len(disabled)}.json"
        run = allennlp("evaluate", tmp_path / "run", GYM, "-o", json.dumps(overrides), "--output-file", output)
        assert run.status == 0, run.stderr
        losses.append(json.loads(output.read_text())["loss"])
    assert effects.scores[1, expert] == pytest.approx(losses[1] - losses[0], abs=1e-4)

    page = allennlp("report", tmp_path / "out", "-s", tmp_path / "page")
    assert page.status == 0, page.stderr
    assert "Needed most" in (tmp_path / "page" / "index.html").read_text()

    for changed, message in (
        ({"metric": "bleu"}, "the model has no 'bleu'"),
        ({"tasks": ["rte"]}, "has no rows of 'rte'"),
        ({"input": "/nowhere"}, "/nowhere: no such file"),
        ({"unseen_tasks": "/nowhere"}, "task table /nowhere: no such file"),
        ({"batch_size": 0}, "batch_size is 0"),
    ):
        wrong = allennlp("disable-experts", CONFIG, "-s", tmp_path / "wrong", "-o", json.dumps(changed))
        assert wrong.status == 1 and message in wrong.stderr, wrong.stderr
