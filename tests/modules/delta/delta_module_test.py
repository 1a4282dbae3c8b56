"""One contract for every delta module, on a T5, a BART and decoder-only models."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.data.dataset_readers import P3JsonlReader
from attribution.modules.delta import Lora
from tests.models.conftest import EXAMPLES, make_batch, make_model
from tests.modules.delta.slow_t5 import needs_transformers_5

DELTAS: Dict[str, Dict[str, Any]] = {
    "lora": {"type": "lora", "r": 2},
    "ia3": {"type": "ia3"},
    "prefix": {"type": "prefix", "num_virtual_tokens": 3},
    "projected_prefix": {"type": "prefix", "num_virtual_tokens": 3, "hidden_size": 4},
    "prompt": {"type": "prompt", "num_virtual_tokens": 3},
    "houlsby": {"type": "houlsby", "size": 4},
    "pfeiffer": {"type": "pfeiffer", "size": 4},
    "parallel": {"type": "parallel", "size": 4},
    "mix_and_match": {"type": "mix_and_match", "num_virtual_tokens": 3, "hidden_size": 4, "size": 4},
    "bias": {"type": "bias", "target_modules": ["q", "q_proj", "c_attn"]},
    "none": {"type": "none"},
}
IN_NAMES = {
    "lora": ["lora_"],
    "ia3": ["ia3_"],
    "prefix": ["prefix_encoder"],
    "projected_prefix": ["prefix_encoder"],
    "prompt": ["prompt_encoder"],
    "mix_and_match": ["adapter_", "prefix_encoder"],
    "bias": [".bias"],
    "none": [""],
}
IDENTITY = sorted(set(DELTAS) - {"prefix", "projected_prefix", "prompt", "mix_and_match"})
MODELS = ["t5_gated", "bart", "llama", "gpt2"]
PREFIXES = ["prefix", "projected_prefix", "mix_and_match", "encoder"]


def _on(model: str, name: str) -> Any:
    return pytest.param(model, name, marks=[needs_transformers_5] if name in PREFIXES and model[:2] == "t5" else [])


EVERYWHERE = [_on(model, name) for model in MODELS for name in DELTAS]
ENCODER_PREFIX = {"type": "prefix", "num_virtual_tokens": 3, "hidden_size": 4, "encoder": True}


def _model(folder: str, delta: Dict[str, Any], changed: bool = True, **settings: Any) -> Any:
    kind = "causal_lm" if Path(folder).name.startswith(("llama", "gpt2")) else "seq2seq"
    torch.manual_seed(5)
    model = make_model(folder, type=kind, delta=dict(delta), **settings)
    if changed and delta["type"] != "none":
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight) * 0.5)
    return model.eval()


def _texts(model: Any, folder: str) -> List[Any]:
    tokenizer = P3JsonlReader(folder).tokenizer
    return [(tokenizer.prompts([prompt], 512)[0], tokenizer.options(options, 64)) for prompt, options, _ in EXAMPLES]


def _one_by_one(model: Any, folder: str) -> List[List[float]]:
    """One plain forward pass of the injected model for every option."""
    transformer = model.transformer
    scores = []
    for prompt, options in _texts(model, folder):
        row = []
        for option in options:
            if model.encoder_decoder:
                start = model.reading.start
                logits = transformer(
                    input_ids=torch.tensor([prompt]),
                    decoder_input_ids=torch.tensor([[start, *option[:-1]]]),
                    use_cache=False,
                ).logits[0]
            else:
                logits = transformer(input_ids=torch.tensor([prompt + option]), use_cache=False).logits[0]
                logits = logits[len(prompt) - 1 : -1]
            row.append(logits.log_softmax(-1)[range(len(option)), option].sum().item())
        scores.append(row)
    return scores


@pytest.mark.parametrize("name", IDENTITY)
@pytest.mark.parametrize("model", MODELS)
def test_the_output_is_unchanged_at_first(model: str, name: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(model)
    tuned, plain = _model(folder, DELTAS[name], changed=False), _model(folder, {"type": "none"})
    with torch.no_grad():
        for one, other in zip(tuned(**make_batch(folder))["scores"], plain(**make_batch(folder))["scores"]):
            assert one == pytest.approx(other, abs=1e-5)


@pytest.mark.parametrize("model, name", EVERYWHERE)
def test_trains_alone_under_its_name_and_is_all_of_the_state_dict(
    model: str, name: str, tiny_model: Callable[[str], str]
) -> None:
    folder = tiny_model(model)
    tuned = _model(folder, DELTAS[name])
    trainable = {parameter for parameter, weight in tuned.named_parameters() if weight.requires_grad}
    parts = IN_NAMES.get(name, ["adapter_"])
    assert all(any(part in parameter for part in parts) for parameter in trainable)
    assert all(any(part in parameter for parameter in trainable) for part in parts)
    if name != "none":
        assert set(tuned.state_dict()) == trainable
    tuned.train()(**make_batch(folder))["loss"].backward()
    assert all((weight.grad is not None) == weight.requires_grad for weight in tuned.parameters())
    again = _model(folder, DELTAS[name], changed=False)
    again.load_state_dict(tuned.state_dict())
    assert all(torch.equal(weight, again.state_dict()[key]) for key, weight in tuned.state_dict().items())
    with pytest.raises(RuntimeError, match="Missing key"):
        again.load_state_dict({})


@pytest.mark.parametrize("model, name", [*EVERYWHERE, _on("t5", "encoder"), _on("bart", "encoder")])
def test_options_are_scored_as_one_by_one(model: str, name: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(model)
    tuned = _model(folder, DELTAS.get(name, ENCODER_PREFIX), max_scored_tokens=60)
    with torch.no_grad():
        scores, expected = tuned(**make_batch(folder))["scores"], _one_by_one(tuned, folder)
        plain = _model(folder, {"type": "none"})(**make_batch(folder))["scores"]
    for row, wanted, untuned in zip(scores, expected, plain):
        assert row == pytest.approx(wanted, abs=1e-4)
        assert name == "none" or row != untuned


@pytest.mark.parametrize("model, name", [*EVERYWHERE, _on("t5", "encoder")])
def test_generates_with_a_cache_as_without(model: str, name: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model(model)
    tuned = _model(folder, DELTAS.get(name, ENCODER_PREFIX), generation={"max_new_tokens": 5, "do_sample": False})
    transformer = tuned.transformer
    with torch.no_grad():
        together = tuned(**make_batch(folder))["generated"]
        for (prompt, _), generated in zip(_texts(tuned, folder), together):
            written = [tuned.reading.start] if tuned.encoder_decoder else list(prompt)
            begin = 0 if tuned.encoder_decoder else len(prompt)
            for _ in range(5):
                if tuned.encoder_decoder:
                    inputs = {"input_ids": torch.tensor([prompt]), "decoder_input_ids": torch.tensor([written])}
                else:
                    inputs = {"input_ids": torch.tensor([written])}
                written.append(int(transformer(**inputs, use_cache=False).logits[0, -1].argmax()))
                if written[-1] == 2:
                    break
            assert generated[: len(written) - begin] == written[begin:]


@pytest.mark.parametrize("model, name", EVERYWHERE)
def test_gradient_checkpointing_gives_the_same_gradients(
    model: str, name: str, tiny_model: Callable[[str], str]
) -> None:
    folder = tiny_model(model)
    gradients = []
    for setting in (False, True):
        tuned = _model(folder, DELTAS[name], gradient_checkpointing=setting).train()
        torch.manual_seed(0)  # Of dropout.
        tuned(**make_batch(folder))["loss"].backward()
        gradients.append([weight.grad for weight in tuned.parameters() if weight.requires_grad])
    for one, other in zip(*gradients):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("model, name", EVERYWHERE)
def test_a_folder_holds_the_delta_alone(
    model: str, name: str, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tiny_model(model)
    tuned = _model(folder, DELTAS[name])
    tuned.delta.save(tuned.transformer, tmp_path, folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == folder
    again = _model(folder, {**DELTAS[name], "weights": str(tmp_path)}, changed=False)
    for parameter, weight in tuned.state_dict().items():
        assert torch.equal(again.state_dict()[parameter], weight), parameter


@pytest.mark.parametrize("name", sorted(set(DELTAS) - {"none", "prefix", "projected_prefix", "prompt"}))
def test_a_pattern_that_matches_nothing_is_an_error(name: str, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="nothing"):
        _model(tiny_model("t5"), {**DELTAS[name], "target_modules": ["nothing"]})
    with pytest.raises(ConfigurationError, match="`target_modules` is empty"):
        _model(tiny_model("t5"), {**DELTAS[name], "target_modules": []})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"type": "ia3"}, "another delta than the model's: peft_type is 'LORA' there and 'IA3' here"),
        ({"r": 3}, "scaling is 2.0 there and 1.33"),
        ({"alpha": 3}, "scaling is 2.0 there and 1.5 here"),
        ({"target_modules": ["q", "k"]}, "of its tensors are missing, the first: .*k.lora_A.weight"),
        ({"target_modules": ["q"]}, "of its tensors are unknown, the first: .*v.lora_A.weight"),
        ({"weights": "/nowhere"}, "/nowhere: has no adapter_config.json"),
    ],
)
def test_weights_of_another_delta_are_refused(
    changes: Dict[str, Any], message: str, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tiny_model("t5")
    tuned = _model(folder, DELTAS["lora"])
    tuned.delta.save(tuned.transformer, tmp_path, folder)
    delta = {"type": "lora", "r": 2, "alpha": 4, "weights": str(tmp_path), **changes}
    if delta["type"] != "lora":
        del delta["r"], delta["alpha"]
    with pytest.raises(ConfigurationError, match=message):
        _model(folder, delta)


def test_another_base_model_is_refused(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model("t5")
    tuned = _model(folder, DELTAS["lora"])
    tuned.delta.save(tuned.transformer, tmp_path, "google/t5")
    delta = {**DELTAS["lora"], "weights": str(tmp_path)}
    _model(folder, delta)  # The same weights, wherever they lie.
    with pytest.raises(ConfigurationError, match="tuned on another base model, google/t5, or other weights of it"):
        _model(folder, delta, random_weights=True)
    _model(folder, {**delta, "check_base_model": False}, random_weights=True)


def test_values_that_are_no_numbers_are_refused(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model("t5")
    tuned = _model(folder, DELTAS["ia3"])
    next(iter(tuned.delta.tensors(tuned.transformer).values())).data[1] = torch.nan
    tuned.delta.save(tuned.transformer, tmp_path, folder)
    with pytest.raises(
        ConfigurationError, match="1 of its tensors have values that are no numbers, the first: .*ia3_l"
    ):
        _model(folder, {**DELTAS["ia3"], "weights": str(tmp_path)})


def test_the_sizes_of_a_method_of_ours_are_compared(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model("t5")
    tuned = _model(folder, DELTAS["houlsby"])
    tuned.delta.save(tuned.transformer, tmp_path, folder)
    with pytest.raises(ConfigurationError, match="size is 4 there and 5 here"):
        _model(folder, {"type": "houlsby", "size": 5, "weights": str(tmp_path)})
    with pytest.raises(ConfigurationError, match="peft_type is 'HOULSBY' there and 'LORA' here"):
        Lora().load(_model(folder, DELTAS["lora"]).transformer, tmp_path, folder)
