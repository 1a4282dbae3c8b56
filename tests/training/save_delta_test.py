"""A training leaves its delta as a folder that other trainings start from."""

import json
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from allennlp.models.archival import load_archive
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from attribution.training import SaveDelta
from tests.commands.train_test import InterruptOnce
from tests.models.conftest import make_model

DELTA = {"model.delta": {"type": "lora", "r": 2}, "trainer.callbacks": ["save_delta"], "trainer.num_epochs": 1}


def test_the_folder_is_the_archives_delta_and_one_to_start_from(
    train_config: Any, allennlp: Any, tiny_model: Any, tmp_path: Path
) -> None:
    one = tmp_path / "deltas" / "one"
    result = allennlp("train", train_config(DELTA), "-s", one)
    assert result.status == 0, result.stderr
    assert [path.parent for path in tmp_path.glob("deltas/*/adapter_config.json")] == [one]
    saved = load_file(one / "adapter_model.safetensors")
    with tarfile.open(one / "model.tar.gz") as archive:
        archive.extractall(tmp_path / "archive", filter="data")
    archived = torch.load(tmp_path / "archive" / "weights.th", weights_only=True)
    assert len(saved) == len(archived)
    for name, tensor in archived.items():
        name = name.replace("transformer.", "base_model.model.", 1).replace(".default", "")
        assert torch.equal(saved[name], tensor)
    assert json.loads((tmp_path / "archive" / "config.json").read_text())["model"]["model_name"] == tiny_model("t5")
    PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5")), str(one))

    # Training for no length at all ends where it began.
    changes = {**DELTA, "model.delta": {"type": "lora", "r": 2, "weights": str(one)}, "trainer.optimizer.lr": 0.0}
    two = tmp_path / "two"
    result = allennlp("train", train_config(changes), "-s", two)
    assert result.status == 0, result.stderr
    for name, tensor in load_file(two / "adapter_model.safetensors").items():
        assert torch.equal(saved[name], tensor)
    # The archive has what it started from.
    for path in one.iterdir():
        if path.is_file():
            path.unlink()
    result = allennlp("evaluate", two / "model.tar.gz", tmp_path / "rows.jsonl")
    assert result.status == 0, result.stderr


def test_recovering_a_delta_that_started_from_another(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    assert InterruptOnce
    assert allennlp("train", train_config(DELTA), "-s", tmp_path / "start").status == 0
    delta = {"type": "lora", "r": 2, "weights": str(tmp_path / "start")}
    changes = {**DELTA, "model.delta": delta, "trainer.num_epochs": 2}
    assert allennlp("train", train_config(changes), "-s", tmp_path / "whole").status == 0
    changes["trainer.callbacks"] = ["save_delta", {"type": "interrupt_once", "step": 8}]
    config = train_config(changes)
    assert allennlp("train", config, "-s", tmp_path / "parts").status != 0
    assert not (tmp_path / "parts" / "adapter_config.json").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_INTERRUPTION", "1")
        result = allennlp("train", config, "-s", tmp_path / "parts", "--recover")
    assert result.status == 0, result.stderr
    expected = load_file(tmp_path / "whole" / "adapter_model.safetensors")
    for name, tensor in load_file(tmp_path / "parts" / "adapter_model.safetensors").items():
        assert torch.equal(tensor, expected[name]), name


def test_another_folder(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    changes = {**DELTA, "trainer.callbacks": [{"type": "save_delta", "folder": str(tmp_path / "films")}]}
    assert allennlp("train", train_config(changes), "-s", tmp_path / "run").status == 0
    assert sorted(path.name for path in (tmp_path / "films").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


def test_a_model_without_a_delta(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    result = allennlp("train", train_config({"trainer.callbacks": ["save_delta"]}), "-s", tmp_path / "run")
    assert result.status == 1 and "save_delta: the model has no `delta` to save" in result.stderr


@pytest.mark.parametrize("model", ["bart", "llama"])
@pytest.mark.parametrize("delta", [{"type": "prefix"}, {"type": "prompt", "num_virtual_tokens": 4}, {"type": "none"}])
def test_an_archive_gives_the_same_scores(
    model: str, delta: Any, train_config: Any, allennlp: Any, tmp_path: Path
) -> None:
    result = allennlp("train", train_config({**DELTA, "model.delta": delta}, model), "-s", tmp_path / "run")
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    loaded = load_archive(tmp_path / "run" / "model.tar.gz").model
    assert loaded.delta.virtual_tokens == {"prefix": 30, "prompt": 4, "none": 0}[delta["type"]]
    output = tmp_path / "evaluated.json"
    arguments = ["evaluate", tmp_path / "run" / "model.tar.gz", tmp_path / "rows.jsonl", "--output-file", output]
    result = allennlp(*arguments)
    assert result.status == 0, result.stderr
    assert json.loads(output.read_text())["loss"] == pytest.approx(metrics["best_validation_loss"], abs=1e-4)


def test_only_the_first_process_writes_and_only_at_a_good_end(tiny_model: Any, tmp_path: Path) -> None:
    model = make_model(tiny_model("t5"), delta={"type": "houlsby"})
    trainer, callback = SimpleNamespace(model=model), SaveDelta(str(tmp_path))
    callback.on_end(trainer, metrics={}, is_primary=False)
    callback.on_end(trainer, metrics=None, is_primary=True)
    assert not list(tmp_path.iterdir())
    callback.on_end(trainer, metrics={}, is_primary=True)
    assert len(list(tmp_path.iterdir())) == 2
