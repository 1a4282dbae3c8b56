"""DEFT's eleven published configurations, by their types, keys and values, run with another model and device."""

import json
import shutil
from pathlib import Path
from typing import Any, Dict

import pytest
import torch

from tests.conftest import ROWS
from tests.models.conftest import make_model
from tests.training_config.training_config_test import FIXTURES, environment

__all__ = ["environment"]

SLANTED = {"type": "slanted_triangular", "cut_frac": 0.1}
MODEL = "MODEL_NAME"
"""Texts in capital letters are environment variables, which `std.extVar` gives: texts, too."""


def _trainer(epochs: int, accumulated: int, keep: int = 1, **others: Any) -> Dict[str, Any]:
    return {
        "optimizer": {"type": "adam", "lr": 5e-5},
        "learning_rate_scheduler": SLANTED,
        "callbacks": [{"type": "tensorboard"}],
        "enable_default_callbacks": False,
        "checkpointer": {"keep_most_recent_by_count": keep},
        "grad_clipping": 1.0,
        "num_epochs": epochs,
        "num_gradient_accumulation_steps": accumulated,
        "patience": epochs,
        "use_amp": False,
        "cuda_device": 0,
        **others,
    }


def _training(reader: Dict[str, Any], path: Any, batch: int, trainer: Dict[str, Any], **others: Any) -> Dict[str, Any]:
    return {
        "dataset_reader": reader,
        "train_data_path": path,
        "vocabulary": {"type": "empty"},
        "model": {"type": "seq2seq", "model_name": MODEL},
        "data_loader": {"batch_size": batch},
        "trainer": trainer,
        **others,
    }


def _task(variable: str, split: str, **others: Any) -> Dict[str, Any]:
    return {"type": variable, "model_name": MODEL, "split_name": split, **others}


def _clusters(epochs: int, batch: int, accumulated: int, **model: Any) -> Dict[str, Any]:
    readers = [
        {"type": "p3_cluster", "p3_data_path": "P3_PATH", "split_name": split, "model_name": MODEL}
        for split in ("train", "validation")
    ]
    return _training(
        readers[0],
        "CLUSTER_PATH",
        batch,
        _trainer(epochs, accumulated),
        validation_dataset_reader=readers[1],
        validation_data_path="CLUSTER_PATH",
        model={"type": "seq2seq", "model_name": MODEL, **model},
    )


def _few_shots(**model: Any) -> Dict[str, Any]:
    trainer = _trainer(
        1,
        1,
        optimizer={
            "type": "huggingface_adafactor",
            "lr": 3e-3,
            "relative_step": False,
            "scale_parameter": True,
            "warmup_init": False,
            "weight_decay": 0.0,
        },
        learning_rate_scheduler={
            "type": "polynomial_decay",
            "power": 1.0,
            "warmup_steps": 60,
            "end_learning_rate": 0.0,
        },
        grad_norm=1.0,
    )
    del trainer["grad_clipping"]
    settings = {"val_size": 1000, "use_val_split": False, "max_query_length": 256}
    return _training(
        {"type": "p3_jsonl", "model_name": MODEL, "max_query_length": 256},
        "TRAIN_DATA_PATH",
        8,
        trainer,
        validation_dataset_reader=_task("VALIDATION_DATASET_READER_NAME", "validation", **settings),
        validation_data_path="dummy.txt",
        model={"type": "ia3_seq2seq_load", "model_name": MODEL, **model},
        data_loader={"batch_size": 8, "shuffle": True, "batches_per_epoch": 1000},
        validation_data_loader={"batch_size": 8},
    )


ROWS_READER = {"type": "p3_jsonl", "model_name": MODEL, "max_answer_length": 256}
PUBLISHED: Dict[str, Dict[str, Any]] = {
    "task_retrieved_only": _training(
        ROWS_READER,
        "TRAIN_DATA_PATH",
        1,
        _trainer(5, 8),
        validation_dataset_reader=_task("VALIDATION_DATASET_READER_NAME", "validation", use_val_split=False),
        validation_data_path="dummy.txt",
    ),
    "task_multitask_train": _training(
        {
            "type": "multitask",
            "readers": {
                "p3_idx": ROWS_READER,
                "task": _task("TRAIN_DATASET_READER_NAME", "train", use_val_split=False),
            },
        },
        {"p3_idx": "P3_TRAIN_DATA_PATH", "task": "dummy.txt"},
        1,
        _trainer(5, 8, 5),
        validation_dataset_reader=_task("VALIDATION_DATASET_READER_NAME", "test", use_val_split=False),
        data_loader={
            "type": "multitask",
            "scheduler": {"batch_size": 1, "type": "roundrobin"},
            "sampler": "proportional",
            "instances_per_epoch": "INSTANCES_PER_EPOCH",
        },
    ),
    "task_specific_train": _training(
        _task("TRAIN_DATASET_READER_NAME", "train"),
        "dummy.txt",
        4,
        _trainer(5, 2, learning_rate_scheduler={**SLANTED, "cut_frac": 0.01}),
    ),
    "drop_train": _training(
        _task("drop_reader", "train"),
        "dummy.txt",
        1,
        _trainer(
            5,
            8,
            5,
            callbacks=[{"type": "tensorboard"}, {"type": "should_validate_callback", "validation_interval": 1}],
        ),
        validation_dataset_reader=_task("drop_reader", "test"),
        validation_data_path="dummy.txt",
        model={"type": "drop_model", "model_name": MODEL},
    ),
    "qasper_train": _training(
        {"type": "qasper_evidence_prompt", "model_name": MODEL}, "QASPER_PATH", 1, _trainer(5, 8)
    ),
    "ia3_train": _few_shots(),
    "ia3_train_load": _few_shots(load_from_file="WEIGHTS_NAME"),
    "t5_small_cluster_train": _clusters(10, 32, 2),
    "t5_small_gradient_cluster_train": _clusters(10, 32, 2),
    "t5_xl_cluster_train": _clusters(5, 1, 8),
    "t5_small_dump_without_training": _clusters(1, 32, 2, fake_training=True),
}


def _jsonnet(settings: Any) -> str:
    if isinstance(settings, dict):
        return "{%s}" % ", ".join(f"{json.dumps(key)}: {_jsonnet(value)}" for key, value in settings.items())
    if isinstance(settings, list):
        return "[%s]" % ", ".join(map(_jsonnet, settings))
    if isinstance(settings, str) and settings.isupper():
        return f'std.extVar("{settings}")'
    return json.dumps(settings)


def test_there_are_eleven() -> None:
    assert len(PUBLISHED) == 11


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_runs(
    name: str,
    environment: Dict[str, str],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    write_jsonl: Any,
    tiny_model: Any,
    allennlp: Any,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("P3_PATH", str(FIXTURES / "p3_cluster" / "p3.json"))
    monkeypatch.setenv("CLUSTER_PATH", str(FIXTURES / "p3_cluster" / "cluster.json"))
    monkeypatch.setenv("QASPER_PATH", str(FIXTURES / "qasper" / "qasper-dev-v0.3.json"))
    monkeypatch.setenv("TRAIN_DATA_PATH", write_jsonl("few.jsonl", ROWS[:8]))
    changes: Dict[str, Any] = {"trainer.cuda_device": -1}
    if name.startswith("ia3"):
        base = tiny_model("t5_gated")
        torch.save(make_model(base, random_weights=True).state_dict(), tmp_path / "weights.th")
        monkeypatch.setenv("MODEL_NAME", base)
        monkeypatch.setenv("WEIGHTS_NAME", str(tmp_path / "weights.th"))
        changes["data_loader.batches_per_epoch"] = 4  # For the sake of the test's time.
    if name == "drop_train":
        folder = Path(environment["ATTRIBUTION_DATASETS"]) / "ucinlp" / "drop"
        folder.mkdir(parents=True)
        for split in ("train", "validation"):
            shutil.copy(FIXTURES / "drop" / "drop_dataset_dev.json", folder / f"{split}.json")
        # The fixture has few questions.
        changes["model.max_length"] = 4
        changes.update({f"{reader}.val_size": 2 for reader in ("dataset_reader", "validation_dataset_reader")})
    if name == "task_specific_train":
        monkeypatch.setenv("TRAIN_DATASET_READER_NAME", "wic_reader")
    config = tmp_path / "published.jsonnet"
    config.write_text(_jsonnet(PUBLISHED[name]))
    arguments = ("-s", tmp_path / "run", "--include-package", "attribution", "-o", json.dumps(changes))
    result = allennlp("train", config, *arguments)
    assert result.status == 0, result.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    epochs = PUBLISHED[name]["trainer"]["num_epochs"]
    assert metrics["epoch"] == epochs - 1
    written = sorted(path.name for path in (tmp_path / "run").glob("metrics_epoch_*.json"))
    assert written == [f"metrics_epoch_{epoch}.json" for epoch in range(epochs)]
    assert ("validation_loss" in metrics) is ("validation_data_path" in PUBLISHED[name])
