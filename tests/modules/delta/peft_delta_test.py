"""Both ways between this package and the PEFT library: the same bytes, the same model."""

import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import (
    IA3Config,
    LoraConfig,
    PeftModel,
    PrefixTuningConfig,
    PromptTuningConfig,
    get_peft_model,
    get_peft_model_state_dict,
)
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from tests.models.conftest import make_model
from tests.modules.delta.slow_t5 import needs_transformers_5

DELTAS: Dict[str, Any] = {
    "lora": {"r": 2, "alpha": 6},
    "ia3": {},
    "prefix": {"num_virtual_tokens": 3},
    "prompt": {"num_virtual_tokens": 3},
}
EVERYWHERE = [
    pytest.param(model, name, marks=[needs_transformers_5] if name == "prefix" and model[:2] == "t5" else [])
    for model in ("t5", "t5_gated", "bart", "llama", "gpt2")
    for name in DELTAS
]


def _base(model: str, folder: str) -> Any:
    auto = AutoModelForCausalLM if model in ("llama", "gpt2") else AutoModelForSeq2SeqLM
    return auto.from_pretrained(folder).eval()


def _ours(model: str, folder: str, delta: Dict[str, Any]) -> Any:
    kind = "causal_lm" if model in ("llama", "gpt2") else "seq2seq"
    return make_model(folder, type=kind, delta=delta).eval()


def _theirs(model: str, name: str, folder: str) -> Any:
    task = "CAUSAL_LM" if model in ("llama", "gpt2") else "SEQ_2_SEQ_LM"
    ia3 = {"target_modules": ["k", "v", "wi_1"], "feedforward_modules": []} if model == "t5_gated" else {}
    config = {
        "lora": lambda: LoraConfig(r=2, lora_alpha=6, task_type=task),
        "ia3": lambda: IA3Config(task_type=task, **ia3),
        "prefix": lambda: PrefixTuningConfig(num_virtual_tokens=3, task_type=task),
        "prompt": lambda: PromptTuningConfig(num_virtual_tokens=3, task_type=task),
    }[name]()
    return _change(get_peft_model(_base(model, folder), config)).eval()


def _change(model: Any) -> Any:
    torch.manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight) * 0.3)
    return model


def _logits(model: str, transformer: Any) -> torch.Tensor:
    inputs = {"input_ids": torch.tensor([[5, 9, 11, 30, 7]])}
    if model not in ("llama", "gpt2"):
        inputs["decoder_input_ids"] = torch.tensor([[0, 8, 4, 6]])
    with torch.no_grad():
        logits = transformer(**inputs).logits
    return logits[:, -4:]  # PEFT's has the virtual tokens, too.


@pytest.mark.parametrize("model, name", EVERYWHERE)
def test_an_adapter_of_peft_loads_here(model: str, name: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model(model)
    theirs = _theirs(model, name, folder)
    theirs.save_pretrained(tmp_path)
    ours = _ours(model, folder, {"type": name, "weights": str(tmp_path), **DELTAS[name]})
    tensors = ours.delta.tensors(ours.transformer)
    there = load_file(tmp_path / "adapter_model.safetensors")
    assert set(tensors) == set(there)
    for key, tensor in there.items():
        assert torch.equal(tensors[key], tensor[: len(tensors[key])]), key
    torch.testing.assert_close(_logits(model, ours.transformer), _logits(model, theirs), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model, name", EVERYWHERE)
def test_ours_loads_in_peft(model: str, name: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model(model)
    ours = _change(_ours(model, folder, {"type": name, **DELTAS[name]}))
    ours.delta.save(ours.transformer, tmp_path, folder)
    theirs = PeftModel.from_pretrained(_base(model, folder), str(tmp_path)).eval()
    there, tensors = get_peft_model_state_dict(theirs), ours.delta.tensors(ours.transformer)
    assert set(there) == set(tensors)
    for key, tensor in tensors.items():
        assert torch.equal(there[key], tensor), key
    torch.testing.assert_close(_logits(model, ours.transformer), _logits(model, theirs), atol=1e-5, rtol=1e-4)


@needs_transformers_5  # With 4, PEFT's prefix in BART generates at other positions than it is trained at.
@pytest.mark.parametrize("model, name", EVERYWHERE)
def test_generates_as_peft_does(model: str, name: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model(model)
    ours = _change(_ours(model, folder, {"type": name, **DELTAS[name]}))
    ours.delta.save(ours.transformer, tmp_path, folder)
    theirs = PeftModel.from_pretrained(_base(model, folder), str(tmp_path)).eval()
    prompts = torch.tensor([[5, 9, 11, 30, 7], [6, 7, 8, 9, 10]])
    beams = {"input_ids": prompts, "attention_mask": torch.ones_like(prompts), "num_beams": 3, "max_new_tokens": 6}
    assert torch.equal(ours.transformer.generate(**beams), theirs.generate(**beams))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"use_rslora": True}, r"scaling is 4.2\d+ there and 3.0 here .`type: folder` takes a delta as its own"),
        ({"use_dora": True}, "use_dora is True there and None here"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights is 'pissa' there and None here"),
        (
            {"a_setting_to_come": 3},
            "this version of PEFT does not know `a_setting_to_come`",
        ),
        ({"lora_alpha": 4}, "scaling is 2.0 there and 3.0 here"),
        ({"base_model_name_or_path": "google/t5-xl"}, "tuned on another base model, google/t5-xl; here"),
    ],
)
def test_a_setting_that_means_another_model_is_refused(
    change: Dict[str, Any], message: str, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tiny_model("t5")
    _theirs("t5", "lora", folder).save_pretrained(tmp_path)
    path = tmp_path / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigurationError, match=message):
        _ours("t5", folder, {"type": "lora", "weights": str(tmp_path), **DELTAS["lora"]})


def test_a_pickle_is_refused_unless_asked_for(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model("t5")
    theirs = _theirs("t5", "lora", folder)
    theirs.save_pretrained(tmp_path)
    there = load_file(tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_model.safetensors").unlink()
    torch.save(there, tmp_path / "adapter_model.bin")
    delta = {"type": "lora", "weights": str(tmp_path), **DELTAS["lora"]}
    with pytest.raises(ConfigurationError, match="has a pickle, adapter_model.bin, .* or set `allow_pickle`"):
        _ours("t5", folder, dict(delta))
    ours = _ours("t5", folder, {**delta, "allow_pickle": True})
    assert all(torch.equal(there[key], tensor) for key, tensor in ours.delta.tensors(ours.transformer).items())
