"""A model, a reader and a callback small enough to train ten times in a test, with all that needs continuing."""

import os
from pathlib import Path
from typing import Any, Dict, Iterable, List

import torch
from allennlp.data import DatasetReader, Instance, Vocabulary
from allennlp.data.fields import TensorField
from allennlp.models import Model
from allennlp.training import TrainerCallback
from allennlp.training.metrics import Average


@DatasetReader.register("tiny")
class TinyReader(DatasetReader):
    """`file_path` is a number of rows."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(manual_distributed_sharding=False, manual_multiprocess_sharding=False, **kwargs)

    def _read(self, file_path: Any) -> Iterable[Instance]:
        draw = torch.Generator().manual_seed(1)
        for number in range(int(Path(file_path).name)):
            x = torch.randn(4, generator=draw)
            yield Instance({"x": TensorField(x), "y": TensorField(x.sum() + number % 3)})


@Model.register("tiny")
class TinyModel(Model):
    """With dropout, and a metric that counts rows."""

    uneven_validation = True

    def __init__(self, vocab: Vocabulary, **kwargs: Any) -> None:
        super().__init__(vocab, **kwargs)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1))
        self.error = Average()
        self.rows = 0

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Dict[str, torch.Tensor]:  # type: ignore[override]
        difference = (self.layers(x).squeeze(-1) - y).abs()
        for value in difference.tolist():
            # Not `Average.__call__`, which waits for the other processes.
            self.error._total_value += value
            self.error._count += 1
        return {"loss": difference.mean()}

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        sums = torch.tensor([float(self.error._total_value), float(self.error._count)], dtype=torch.float64)
        if reset and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        if reset:
            self.error.reset()
        return {"error": (sums[0] / max(sums[1].item(), 1)).item(), "rows": sums[1].item()}


@TrainerCallback.register("tiny_interruption")
class TinyInterruption(TrainerCallback):
    """Sends the signal `number` to this process after `step` batches were seen, or in the validation after them."""

    def __init__(self, serialization_dir: str, step: int, number: int, in_validation: bool = False) -> None:
        super().__init__(serialization_dir)
        self.step, self.number, self.in_validation, self.seen = step, number, in_validation, 0

    def on_batch(self, trainer: Any, *args: Any, is_training: bool, **kwargs: Any) -> None:
        self.seen += is_training
        if self.seen == self.step and is_training != self.in_validation and os.environ.get("TINY_INTERRUPTION"):
            os.kill(os.getpid(), self.number)


def config(**trainer: Any) -> Dict[str, Any]:
    """22 rows in batches of 4, two batches a step: 3 steps an epoch, the last one smaller."""
    return {
        "dataset_reader": {"type": "tiny"},
        "train_data_path": "22",
        "validation_data_path": "11",
        "vocabulary": {"type": "empty"},
        "model": {"type": "tiny"},
        "data_loader": {"batch_size": 4, "shuffle": True},
        "validation_data_loader": {"batch_size": 4},
        "trainer": {
            "num_epochs": 4,
            "num_gradient_accumulation_steps": 2,
            "optimizer": {"type": "huggingface_adamw", "lr": 0.05},
            "learning_rate_scheduler": {"type": "slanted_triangular", "num_epochs": 4, "num_steps_per_epoch": 3},
            "patience": 3,
            **trainer,
        },
    }


def steps(folder: Path) -> List[str]:
    """The checkpoints there."""
    return sorted(path.name[len("model_state_") : -len(".th")] for path in folder.glob("model_state_*.th"))
