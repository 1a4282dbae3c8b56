import json
from pathlib import Path
from typing import Any, Callable, Dict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from attribution.ensembling.delta_folder import CONFIG, WEIGHTS, DeltaFolder
from attribution.ensembling.ensemble_weights import EnsembleWeights

BLOCKS = [f"{stack}.block.{number}" for stack in ("encoder", "decoder") for number in range(2)]


def lora_tensors(seed: int, rank: int = 2, out: int = 6, inner: int = 5) -> Dict[str, torch.Tensor]:
    """LoRA on the queries of four blocks, named as PEFT names it."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for block in BLOCKS:
        name = f"base_model.model.{block}.layer.0.SelfAttention.q.lora_"
        tensors[f"{name}A.weight"] = torch.randn(rank, inner, generator=generator)
        tensors[f"{name}B.weight"] = torch.randn(out, rank, generator=generator)
    return tensors


LORA: Dict[str, Any] = {
    "peft_type": "LORA",
    "base_model_name_or_path": "t5-tiny",
    "r": 2,
    "lora_alpha": 4,
    "lora_dropout": 0.0,
    "target_modules": ["q", "v"],
}


def write_delta_folder(folder: Path, tensors: Dict[str, torch.Tensor], **config: Any) -> DeltaFolder:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config))
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    return DeltaFolder(folder)


@pytest.fixture
def write_delta(tmp_path: Path) -> Callable[..., DeltaFolder]:
    """(name, tensors, further configuration) -> a delta; LoRA by default."""

    def write(name: str, tensors: Dict[str, torch.Tensor], **config: Any) -> DeltaFolder:
        defaults = LORA if config.get("peft_type", "LORA") == "LORA" else {}
        return write_delta_folder(tmp_path / "deltas" / name, tensors, **{**defaults, **config})

    return write


def weights_of(values: Any, parts: Any = ()) -> EnsembleWeights:
    array = np.array(values, dtype=np.float64)
    targets, sources = array.shape[:2]
    return EnsembleWeights(
        [f"t{number}" for number in range(targets)], [f"s{number}" for number in range(sources)], array, list(parts)
    )
