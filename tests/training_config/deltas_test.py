"""The published deltas have the published sizes: on models without weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common import Params
from transformers import AutoModelForSeq2SeqLM, T5Config

from attribution.modules.delta import DeltaModule

PUBLISHED = Path(__file__).parents[2] / "training_config" / "common" / "deltas.libsonnet"
BASE = {"d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12}
XL = {"d_model": 2048, "d_ff": 5120, "num_layers": 24, "num_heads": 32}


def _trainable(name: str, sizes: Any, device: str = "cpu") -> int:
    # A small vocabulary: no delta's size depends on it.
    config = T5Config(**sizes, d_kv=64, vocab_size=128, feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    with torch.device(device):
        transformer = AutoModelForSeq2SeqLM.from_config(config)
        DeltaModule.from_params(Params.from_file(PUBLISHED)[name]).inject(transformer)
    return sum(weight.numel() for weight in transformer.parameters() if weight.requires_grad)


@pytest.mark.parametrize("name", ["adapter", "lora", "prefix"])
def test_equal_budgets_on_t5_base(name: str) -> None:
    assert _trainable(name, BASE) == 1_105_920


def test_ia3_on_t5_xl() -> None:
    assert _trainable("ia3", XL, "meta") == 540_672
