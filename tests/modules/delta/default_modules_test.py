"""Where LoRA and IA3 go by default, in every architecture, and that PEFT reads what they leave."""

import logging
import re
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import PeftModel

from attribution.modules.delta import IA3, DeltaModule, Lora
from tests.modules.delta.every_architecture import Architecture, build, causal, inputs, seq2seq, shake

DELTAS: Dict[str, Callable[[], DeltaModule]] = {"lora": lambda: Lora(r=2), "ia3": IA3}
# Tiny ones read bytes with halves of other widths.
REFUSED: Dict[str, str] = {}
SAMPLE = [
    *(Architecture(name, False) for name in ("phi3", "mixtral", "deepseek_v3", "gemma3", "qwen2_moe", "mamba")),
    *(Architecture(name, True) for name in ("mbart", "led", "bert2gpt2")),
]


@pytest.mark.parametrize("name", DELTAS)
@pytest.mark.parametrize("architecture", SAMPLE, ids=str)
def test_there_is_a_default(architecture: Architecture, name: str, tmp_path: Path) -> None:
    _check(architecture, name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DELTAS)
@pytest.mark.parametrize("architecture", [each for each in [*causal(), *seq2seq()] if each not in SAMPLE], ids=str)
def test_there_is_a_default_everywhere(architecture: Architecture, name: str, tmp_path: Path) -> None:
    _check(architecture, name, tmp_path)


def _check(architecture: Architecture, name: str, folder: Path) -> None:
    ours, delta = build(architecture), DELTAS[name]()
    length = 256 if architecture.name == "reformer" else 24  # Which it has gradients of alone.
    batch: Dict[str, Any] = {**inputs(architecture, [length, length]), "use_cache": False}
    if architecture.name in REFUSED:
        with pytest.raises(ConfigurationError, match=REFUSED[architecture.name]):
            delta.inject(ours)
        return
    with torch.no_grad():
        before = ours(**batch).logits
        delta.inject(ours)
        torch.testing.assert_close(ours(**batch).logits, before)
    shake(ours, 0.3, trainable=True)
    delta.save(ours, folder, "a/base")
    with torch.no_grad():
        expected = ours(**batch).logits
        assert (expected - before).abs().max() > 1e-3 * before.abs().max()
        again = build(architecture)
        other = DELTAS[name]()
        other.inject(again)
        other.load(again, folder, "a/base")
        torch.testing.assert_close(again(**batch).logits, expected)
        theirs: Any = PeftModel.from_pretrained(build(architecture), str(folder)).eval()
        torch.testing.assert_close(theirs(**batch).logits, expected, atol=1e-5, rtol=1e-5)
    ours.train(architecture.name in ("rwkv", "reformer"))  # The others drop whole layers then.
    if architecture.name == "reformer":  # Its backward pass is its own.
        ours.enable_input_require_grads()
    ours(**batch).logits.pow(2).sum().backward()
    lost = [key for key, weight in delta.tensors(ours).items() if weight.grad is None or not weight.grad.any()]
    if str(architecture) == "bart-causal_lm":  # PEFT's table has what a decoder alone does not use.
        lost = [key for key in lost if "encoder_attn" not in key]
    assert lost == []


def test_the_log_says_where_it_went(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "attribution")
    expected = {
        "phi3": "in 2 layers of a phi3 model (queries, values, where these are fused, keys, by their names): "
        "self_attn.qkv_proj (2)",
        "llama": "in 4 layers of a llama model (PEFT's default): self_attn.q_proj (2), self_attn.v_proj (2)",
        "xlnet": "in 4 layers of a xlnet model (`all-linear`: no names of queries and values are known): "
        "ff.layer_1 (2), ff.layer_2 (2)",
    }
    for name, text in expected.items():
        caplog.clear()
        Lora(r=2).inject(build(Architecture(name, False)))
        [record] = [each for each in caplog.records if each.name.startswith("attribution")]
        assert re.fullmatch(rf"lora: [\d,]+ parameters {re.escape(text)}", record.getMessage())
    caplog.clear()
    IA3().inject(build(Architecture("qwen3_moe", False)))  # Its experts are no layers.
    assert "(keys, values, by their names): self_attn.k_proj (2), self_attn.v_proj (2)" in caplog.text


@pytest.mark.parametrize("name", DELTAS)
def test_all_linear(name: str) -> None:
    model = build(Architecture("phi3", False))
    delta: Any = {"lora": Lora, "ia3": IA3}[name](target_modules="all-linear")
    delta.inject(model)
    places = {key.split(".layers.0.")[1].rpartition(".lora_")[0] for key in delta.tensors(model) if ".layers.0." in key}
    if name == "lora":
        assert places == {"self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj", "mlp.down_proj"}
    assert not any("lm_head" in key for key in delta.tensors(model))


def test_pictures_are_left_alone() -> None:
    model, delta = build(Architecture("gemma3", False)), Lora(r=2)
    delta.inject(model)
    tensors: List[str] = list(delta.tensors(model))
    assert len(tensors) == 8 and not any("vision" in key for key in tensors)


def test_a_refusal_names_the_model() -> None:
    with pytest.raises(ConfigurationError, match="lora: Target modules .*nothing.* phi3 model; `target_modules`"):
        Lora(target_modules=["nothing"]).inject(build(Architecture("phi3", False)))
