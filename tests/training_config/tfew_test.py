import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common import Params
from allennlp.models.archival import load_archive
from allennlp.training import TrainerCallback
from safetensors.torch import load_file

from tests.conftest import ROWS
from tests.models.conftest import make_model

CONFIG = Path(__file__).parents[2] / "training_config" / "deft" / "tfew.jsonnet"
WATCHED = json.dumps({"trainer.callbacks": ["save_delta", "watch_losses"]})


@TrainerCallback.register("watch_losses")
class WatchLosses(TrainerCallback):
    """Losses and learning rates by step."""

    losses: List[float] = []
    rates: List[float] = []

    def on_start(self, trainer: Any, is_primary: bool = True, **kwargs: Any) -> None:
        self.losses.clear()
        self.rates.clear()

    def on_batch(
        self, trainer: Any, batch_inputs: Any, batch_outputs: Any, *args: Any, is_training: bool, **kwargs: Any
    ) -> None:
        if is_training:
            self.losses.append(batch_outputs[0]["loss"].item())
            self.rates.append(trainer.optimizer.param_groups[0]["lr"])


@pytest.fixture
def tune(
    tiny_model: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    write_jsonl: Callable[..., str],
    allennlp: Any,
    tmp_path: Path,
) -> Callable[..., Dict[str, Any]]:
    """(name of the run, further variables) -> its metrics."""
    rows = write_jsonl("shots.jsonl", ROWS[:10])
    for name, value in {"MODEL_NAME": tiny_model("t5_gated"), "TRAIN_DATA_PATH": rows, "STEPS": "5"}.items():
        monkeypatch.setenv(name, value)

    def run(name: str, **variables: str) -> Dict[str, Any]:
        with monkeypatch.context() as patch:
            for variable, value in {"VALIDATION_DATA_PATH": rows, **variables}.items():
                patch.setenv(variable, value)
            result = allennlp("train", CONFIG, "-s", tmp_path / name, "-o", WATCHED)
        assert result.status == 0, result.stderr
        return json.loads((tmp_path / name / "metrics.json").read_text())

    return run


def test_five_steps(tune: Any, tmp_path: Path) -> None:
    assert "validation_accuracy" in tune("run", WARMUP="2")
    # Up to the rate in two steps, down to 0 in the three others.
    assert WatchLosses.rates == pytest.approx([0.0015, 0.003, 0.002, 0.001, 0.0])
    tensors = load_file(tmp_path / "run" / "adapter_model.safetensors")
    assert {name.split(".")[-2] for name in tensors} == {"k", "v", "wi_1"}
    assert any((tensor != 1).any() for tensor in tensors.values())
    model: Any = load_archive(tmp_path / "run" / "model.tar.gz").model
    assert (model.option_score, model.unlikelihood_weight, model.length_normalized_weight) == ("mean", 1, 1)


def test_each_loss_can_be_left_out(tune: Any, tiny_model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # All options are read where their losses count, the right one alone where not: dropout would draw otherwise.
    monkeypatch.setenv("MODEL_NAME", tiny_model("t5_without_dropout"))
    first = {}
    for unlikelihood, length_normalized in (("1", "1"), ("0", "1"), ("1", "0"), ("0", "0")):
        tune(f"{unlikelihood}{length_normalized}", UNLIKELIHOOD=unlikelihood, LENGTH_NORMALIZED=length_normalized)
        first[unlikelihood + length_normalized] = WatchLosses.losses[0]
    assert first["11"] > first["01"] > first["00"] and first["11"] > first["10"] > first["00"]


def test_from_other_weights_and_from_vectors_that_were_trained_before(
    tune: Any, tiny_model: Any, tmp_path: Path
) -> None:
    trained = make_model(tiny_model("t5_gated"), random_weights=True)
    torch.save(trained.state_dict(), tmp_path / "weights.th")
    weights = {"WEIGHTS_NAME": str(tmp_path / "weights.th"), "VALIDATION_DATA_PATH": ""}
    tune("source", **weights)
    tune("run", **weights, DELTA_WEIGHTS=str(tmp_path / "source"), LEARNING_RATE="0.0")
    source, run = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("source", "run"))
    assert all(torch.equal(tensor, run[name]) for name, tensor in source.items())
    loaded: Any = load_archive(tmp_path / "run" / "model.tar.gz").model
    assert torch.equal(loaded.transformer.shared.weight, trained.transformer.shared.weight)


def test_the_published_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAIN_DATA_PATH", "shots.jsonl")
    monkeypatch.setenv("VALIDATION_DATASET_READER_NAME", "rte_reader")
    config = Params.from_file(CONFIG).as_dict()
    assert config["data_loader"] == {"batch_size": 8, "shuffle": True, "batches_per_epoch": 1000}
    trainer = config["trainer"]
    assert (trainer["optimizer"]["lr"], trainer["learning_rate_scheduler"]["warmup_steps"]) == (0.003, 60)
    assert trainer["optimizer"]["scale_parameter"] and trainer["grad_norm"] == 1.0
    assert config["validation_dataset_reader"]["type"] == "rte_reader" and config["validation_data_path"] == "dummy"
    assert config["model"]["model_name"] == "google/t5-xl-lm-adapt"
