"""Prefixes against a forward pass by hand. What PEFT's does is in peft_delta_test.py."""

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from attribution.ensembling import DeltaFolder, EnsembleWeights, LinearMerger, merge_deltas
from tests.models.conftest import make_batch, make_model
from tests.models.reading.matrix import build, load
from tests.modules.delta.slow_t5 import needs_transformers_5, slow_t5

PROMPT, TARGET = [5, 9, 11, 30, 7], [0, 8, 4, 6]


@needs_transformers_5
@pytest.mark.parametrize("hidden_size", [None, 5])
def test_equals_the_formula_in_both_stacks(hidden_size: Any, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    settings = {"num_virtual_tokens": 3, "hidden_size": hidden_size, "encoder": True, "std": 1.0}
    tuned = make_model(folder, delta={"type": "prefix", **settings}).transformer.eval()
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

    def prefix(place: str) -> Any:
        stack, _, layer, _, part = place.split(".")
        if part != "0":
            return None
        encoder = getattr(tuned, stack).prefix_encoder
        states = encoder.embedding.weight
        if hidden_size is not None:
            states = torch.tanh(states @ encoder.down.weight.T) @ encoder.up.weight.T
        # Shape: (tokens, layers, keys and values, heads, head size)
        states = states.view(3, 2, 2, 2, 8)[:, int(layer)]
        return states[:, 0].transpose(0, 1), states[:, 1].transpose(0, 1)

    with torch.no_grad():
        logits = tuned(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
        torch.testing.assert_close(logits, slow_t5(plain, PROMPT, TARGET, prefix=prefix), atol=1e-4, rtol=1e-4)


@needs_transformers_5
@pytest.mark.parametrize("tokens", [4, 3])  # Two layers: two embeddings for each, or one and a half.
def test_the_published_programs_layout(tokens: int, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model("t5")
    settings = {"num_virtual_tokens": tokens, "hidden_size": 5, "encoder": True, "std": 1.0, "legacy_layout": True}
    model = make_model(folder, delta={"type": "prefix", **settings})
    tuned, plain = model.transformer.eval(), AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    made = {}
    for stack in ("encoder", "decoder"):
        encoder = getattr(tuned, stack).prefix_encoder
        out = torch.tanh(encoder.embedding.weight @ encoder.down.weight.T) @ encoder.up.weight.T
        assert out.shape == (tokens, 2 * 2 * 16)
        # Shape: (layers, keys and values, heads, tokens, head size), without a transposition.
        made[stack] = out.reshape(2, 2, 2, tokens, 8)

    def prefix(place: str) -> Any:
        stack, _, layer, _, part = place.split(".")
        return tuple(made[stack][int(layer)]) if part == "0" else None

    with torch.no_grad():
        logits = tuned(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
        torch.testing.assert_close(logits, slow_t5(plain, PROMPT, TARGET, prefix=prefix), atol=1e-5, rtol=1e-5)
    # The folder says so, and is no delta of the other layout.
    model.delta.save(tuned, tmp_path / "delta", folder)
    again = make_model(folder, delta={"type": "folder", "weights": str(tmp_path / "delta")}).transformer.eval()
    with torch.no_grad():
        found = again(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
    assert torch.equal(found, logits)
    with pytest.raises(ConfigurationError, match="legacy_layout is True there and None here"):
        make_model(
            folder, delta={"type": "prefix", **settings, "legacy_layout": False, "weights": str(tmp_path / "delta")}
        )


@needs_transformers_5
def test_such_prefixes_are_merged_as_published_by_their_embeddings_and_projections(
    tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    settings = {"num_virtual_tokens": 3, "hidden_size": 5, "encoder": True, "legacy_layout": True}
    names, tensors = ["a", "b", "c"], []
    for seed, name in enumerate(names):
        torch.manual_seed(seed)
        model = make_model(tiny_model("t5"), delta={"type": "prefix", **settings})
        model.delta.save(model.transformer, tmp_path / name, tiny_model("t5"))
        tensors.append(load_file(tmp_path / name / "adapter_model.safetensors"))
    weights = EnsembleWeights(["c"], names, np.array([[0.3, 0.7, 0.0]]), [])
    (tmp_path / "merged").mkdir()
    merge_deltas([DeltaFolder(tmp_path / name) for name in names], weights, LinearMerger(), [tmp_path / "merged"])
    merged = load_file(tmp_path / "merged" / "adapter_model.safetensors")
    assert len(merged) == 6
    for name, tensor in merged.items():
        torch.testing.assert_close(tensor, 0.3 * tensors[0][name] + 0.7 * tensors[1][name])
    make_model(tiny_model("t5"), delta={"type": "prefix", **settings, "weights": str(tmp_path / "merged")})


def test_virtual_tokens_count_as_positions(tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("bart")  # 64 positions.
    batch = make_batch(folder, [("cat " * 40, ["yes"], 0)])
    assert make_model(folder, delta={"type": "prefix", "num_virtual_tokens": 20}).eval()(**batch)["loss"].isfinite()
    with pytest.raises(ConfigurationError, match="has 34 positions"):
        make_model(folder, delta={"type": "prefix", "num_virtual_tokens": 30}).eval()(**batch)


def test_bad_settings(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="num_virtual_tokens is 0"):
        make_model(tiny_model("t5"), delta={"type": "prefix", "num_virtual_tokens": 0})
    with pytest.raises(ConfigurationError, match="legacy_layout is a way to read what `hidden_size` makes"):
        make_model(tiny_model("t5"), delta={"type": "prefix", "encoder": True, "legacy_layout": True})
    with pytest.raises(ConfigurationError, match="a LlamaForCausalLM has no encoder"):
        make_model(tiny_model("llama"), type="causal_lm", delta={"type": "prefix", "encoder": True})


@pytest.mark.parametrize(
    "architecture, delta",
    [
        (("seq2seq", "pegasus_x"), {"type": "prefix", "hidden_size": 8, "encoder": True}),
        (("seq2seq", "pegasus_x"), {"type": "mix_and_match", "size": 4, "hidden_size": 8}),
        (("causal_lm", "xglm"), {"type": "mix_and_match", "size": 4, "hidden_size": 8}),
        (("causal_lm", "gemma3n_text"), {"type": "mix_and_match", "size": 4, "hidden_size": 8}),
    ],
)
def test_where_a_prefix_cannot_act_it_is_refused_by_name(architecture: Any, delta: Any, tmp_path: Path) -> None:
    build(architecture, tmp_path)
    with pytest.raises(ConfigurationError, match=f"{delta['type']}: .*{architecture[1]} model.* take "):
        load(architecture, tmp_path, delta=delta)
