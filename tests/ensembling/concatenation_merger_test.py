"""The whole sum of products. What it is on PEFT's adapters is in peft_merges_test.py."""

import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file

from attribution.ensembling import ConcatenationMerger, DeltaFolder, HeldDeltas, merge_deltas
from attribution.ensembling.delta_folder import CONFIG, WEIGHTS
from tests.ensembling.conftest import lora_tensors, weights_of

NAME = "base_model.model.encoder.block.1.layer.0.SelfAttention.q.lora_{}.weight"


@pytest.mark.parametrize(
    "settings, alpha",
    [
        ({}, 12),
        ({"use_rslora": True}, 4 * 3**0.5),
        ({"rank_pattern": {"encoder.*q": 2}, "alpha_pattern": {"decoder.*q": 1}}, 12),
    ],
)
def test_the_sum_of_the_products(
    settings: Any, alpha: float, write_delta: Callable[..., DeltaFolder], tmp_path: Path
) -> None:
    weights = np.array([[0.5, -0.7, 1.1], [0.0, 0.3, 0.7]])
    sources = [write_delta(f"s{seed}", lora_tensors(seed), **settings) for seed in range(3)]
    folders = [tmp_path / str(number) for number in range(2)]
    for folder in folders:
        folder.mkdir()
    merge_deltas(sources, weights_of(weights), ConcatenationMerger(), folders)
    for folder, row in zip(folders, weights):
        merged, config = load_file(folder / WEIGHTS), json.loads((folder / CONFIG).read_text())
        assert merged[NAME.format("A")].shape == (6, 5) and config["r"] == 6
        assert config["lora_alpha"] == pytest.approx(alpha)
        assert config["rank_pattern"] == {name: 6 for name in settings.get("rank_pattern", {})}
        assert config["alpha_pattern"] == {name: 3 for name in settings.get("alpha_pattern", {})}
        wanted = sum(
            weight * lora_tensors(seed)[NAME.format("B")] @ lora_tensors(seed)[NAME.format("A")]
            for seed, weight in enumerate(row)
        )
        torch.testing.assert_close(merged[NAME.format("B")] @ merged[NAME.format("A")], wanted)
        assert DeltaFolder(folder).layout.kind.settings == sources[0].layout.kind.settings


def test_what_is_refused(write_delta: Callable[..., DeltaFolder]) -> None:
    for settings, message in (
        ({"peft_type": "IA3"}, "these deltas are IA3; use linear"),
        ({"use_dora": True}, "these deltas are LoRA with `use_dora`; use linear"),
        ({"init_lora_weights": "pissa"}, "starts by 'pissa' .*; use product_space"),
    ):
        source = write_delta("s", lora_tensors(0), **settings)
        with pytest.raises(ConfigurationError, match=f"concatenation: .*deltas/s.*{message}"):
            merge_deltas([source], weights_of([[1.0]]), ConcatenationMerger(), [])
    with pytest.raises(ConfigurationError, match="take another merger than concatenation"):
        HeldDeltas([write_delta(name, lora_tensors(0)) for name in "ab"], ConcatenationMerger())
