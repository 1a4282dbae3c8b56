"""DEFT's names and constructor arguments."""

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from attribution.modules.delta import IA3, MixAndMatch
from tests.models.conftest import make_model
from tests.modules.delta.slow_t5 import needs_transformers_5


def _trainable(model: Any) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def test_ia3(tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("t5_gated"), type="ia3_seq2seq")
    assert isinstance(model.delta, IA3) and all("ia3" in name for name in _trainable(model))


@pytest.mark.parametrize("setting", ["load_from_file", "weights_file"])
def test_weights_are_loaded_before_the_delta_is_injected(
    setting: str, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    trained = make_model(tiny_model("t5"), random_weights=True)
    torch.save(trained.state_dict(), tmp_path / "weights.th")
    model = make_model(tiny_model("t5"), type="ia3_seq2seq_load", **{setting: str(tmp_path / "weights.th")})
    assert torch.equal(model.transformer.shared.weight, trained.transformer.shared.weight)
    assert all("ia3" in name for name in _trainable(model))


@needs_transformers_5
def test_mam(tiny_model: Callable[[str], str]) -> None:
    sizes = {"adapter_size": 6, "num_prefix_tokens": 4, "prefix_reparam_hidden_size": 5}
    model = make_model(tiny_model("t5"), type="mam_seq2seq", **sizes)
    assert isinstance(model.delta, MixAndMatch)
    assert all(any(part in name for part in ("adapter", "prefix_", "layer_norm")) for name in _trainable(model))
    encoder = model.transformer.decoder.prefix_encoder
    assert encoder.embedding.weight.shape == (4, 16) and encoder.down.weight.shape == (5, 16)
    assert encoder.up.weight.shape == (6 * 2 * 16, 5)  # 2 + 2 self-, 2 cross-attentions; keys and values.
    assert model.transformer.encoder.block[0].layer[1].DenseReluDense.wo.adapter.adapter_down.weight.shape == (6, 16)
