"""What `delta: folder` makes of any adapter of PEFT's: the model that PEFT makes of it, or a refusal."""

import dataclasses
import json
from pathlib import Path
from typing import Any, List, Optional

import peft
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from packaging import version
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, LoraConfig
from safetensors.torch import load_file, save_file
from torch.nn import Parameter

from attribution.modules.delta import delta_from_folder, read_delta
from attribution.modules.delta.delta_kind import LAYERS_ALONE, kind_of
from tests.modules.delta.peft_adapters import (
    ARCHITECTURES,
    METHODS,
    OTHER_FIELDS,
    base_model,
    every_lora_option,
    logits,
    lora_options,
    peft_config,
    peft_model,
    save_adapter,
)

# What is refused, and what the message names.
REFUSED = {
    "activated": "alora_invocation_tokens",
    "lora_ga": "'lora_ga' .*path_initial_model_for_weight_conversion",
    "monteclora": "monteclora_config",
    "pissa_niter_4": "'pissa_niter_4' .*path_initial_model_for_weight_conversion",
    "qalora": "use_qalora",
    "replicated": "layer_replication",
    "velora": "velora_config",
}


def everywhere(*in_ci: str) -> List[Any]:
    """(architecture, name of an option); of other architectures than these with the slow tests."""
    return [
        pytest.param(architecture, name, marks=[] if architecture in in_ci or option.only == [architecture] else slow)
        for slow in [pytest.mark.slow]
        for architecture in ARCHITECTURES
        for name, option in lora_options(architecture).items()
    ]


def refused_by_name(architecture: str, name: str) -> Optional[str]:
    """What the message says; None: it loads. PEFT before 0.20 did not write the biases that `lora_only` had trained."""
    if (
        name == "lora_only"
        and architecture in ("bart", "gpt2")
        and version.parse(peft.__version__) < version.parse("0.20")
    ):
        return "of its tensors are missing, the first: .*bias"
    return REFUSED.get(name)


def test_every_method_and_every_option_is_decided() -> None:
    assert {str(method.value) for method in PEFT_TYPE_TO_CONFIG_MAPPING} <= set(METHODS)
    covered = {
        field for name in ARCHITECTURES for option in every_lora_option(name).values() for field in option.fields
    }
    assert {field.name for field in dataclasses.fields(LoraConfig)} <= covered | OTHER_FIELDS
    assert set(METHODS) >= LAYERS_ALONE


@pytest.mark.parametrize("architecture, name", everywhere("t5", "llama"))
def test_lora(architecture: str, name: str, tmp_path: Path) -> None:
    config = peft_config(architecture, "LORA", **lora_options(architecture)[name].settings)
    _check(architecture, config, tmp_path, refused_by_name(architecture, name))


@pytest.mark.parametrize("method", sorted(name for name, settings in METHODS.items() if isinstance(settings, dict)))
@pytest.mark.parametrize(
    "architecture", [pytest.param(name, marks=[] if name == "llama" else pytest.mark.slow) for name in ARCHITECTURES]
)
def test_methods(architecture: str, method: str, tmp_path: Path) -> None:
    if method not in {str(known.value) for known in PEFT_TYPE_TO_CONFIG_MAPPING}:
        pytest.skip(f"this version of PEFT has no {method}")
    try:
        config = peft_config(architecture, method, **METHODS[method])
        save_adapter(architecture, config, tmp_path / "peft")
        peft_model(architecture, tmp_path / "peft")
    except (KeyError, NameError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        assert architecture != "llama", error
        pytest.skip(f"PEFT has none for {architecture}: {error}")
    known = method in LAYERS_ALONE or method in ("PREFIX_TUNING", "PROMPT_TUNING")
    _check(architecture, config, tmp_path, None if known else f"PEFT's method {method} is not loaded here")


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_a_prefix_that_peft_puts_elsewhere(architecture: str, tmp_path: Path) -> None:
    config = peft_config(architecture, "PREFIX_TUNING", num_transformer_submodules=1)
    _check(architecture, config, tmp_path, "with `num_transformer_submodules` 1 PEFT puts its prefix")


def test_embeddings_that_are_not_the_base_models(tmp_path: Path) -> None:
    """As of a model whose vocabulary grew: PEFT would put them into any base model."""
    save_adapter("llama", peft_config("llama", "LORA", target_modules=["embed_tokens"]), tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    [copy] = [name for name in tensors if name.endswith("embed_tokens.base_layer.weight")]
    for other in (tensors[copy] + 1, torch.cat([tensors[copy], tensors[copy][:3]])):
        save_file({**tensors, copy: other}, path)
        with pytest.raises(
            ConfigurationError, match=f"its {copy} is not the base model's; .* which is needed as `model"
        ):
            _load("llama", tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda tensors: tensors.popitem(), "1 of its tensors are missing, the first: .*lora_B|lora_A"),
        (lambda tensors: tensors.update(more=torch.ones(1)), "1 of its tensors are unknown, the first: more"),
        (
            lambda tensors: tensors.update({min(tensors): torch.ones(1)}),
            "1 of its tensors have another shape|that the rank of .* is 2, and its tensors that it is 1",
        ),
        (lambda tensors: tensors[min(tensors)].fill_(float("nan")), "1 of its tensors have values that are no numbers"),
    ],
)
@pytest.mark.parametrize("name", ["plain", "modules_to_save"])
def test_tensors_that_do_not_fit(name: str, change: Any, message: str, tmp_path: Path) -> None:
    save_adapter("llama", peft_config("llama", "LORA", **lora_options("llama")[name].settings), tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: .*({message})"):
        _load("llama", tmp_path)


def test_training_goes_on_with_dropout(tmp_path: Path) -> None:
    """Of the folder, not of nothing."""
    save_adapter("llama", peft_config("llama", "LORA", lora_dropout=0.5), tmp_path)
    _, model = _load("llama", tmp_path)
    first = logits(model.train(), "llama")
    assert not torch.equal(first, logits(model, "llama"))
    assert json.loads((tmp_path / "adapter_config.json").read_text())["lora_dropout"] == 0.5


@pytest.mark.parametrize("name", ["dora", "modules_to_save", "pissa", "tokens", "embedding"])
def test_one_model_for_adapters_one_after_the_other(name: str, tmp_path: Path) -> None:
    """As `similarity` and `ensemble` try them."""
    config = lora_options("llama")[name].settings
    for seed in range(2):
        save_adapter("llama", peft_config("llama", "LORA", **config), tmp_path / str(seed), seed)
    delta, model = _load("llama", tmp_path / "0")
    for seed in (1, 0):
        delta.load(model, tmp_path / str(seed), "base")
        theirs = logits(peft_model("llama", tmp_path / str(seed)), "llama")
        torch.testing.assert_close(logits(model, "llama"), theirs, atol=1e-5, rtol=0)


def _check(architecture: str, config: Any, folder: Path, refused: Any) -> None:
    save_adapter(architecture, config, folder / "peft")
    if refused is not None:
        with pytest.raises(ConfigurationError, match=f"{folder / 'peft'}: .*{refused}"):
            _load(architecture, folder / "peft")
        return
    delta, model = _load(architecture, folder / "peft")
    theirs = logits(peft_model(architecture, folder / "peft"), architecture)
    assert (theirs - logits(base_model(architecture), architecture)).abs().max() > 0.05
    torch.testing.assert_close(logits(model, architecture), theirs, atol=1e-5, rtol=0)
    delta.save(model, folder / "ours", "base")
    torch.testing.assert_close(
        logits(peft_model(architecture, folder / "ours"), architecture), theirs, atol=1e-5, rtol=0
    )
    saved, written = read_delta(folder / "ours"), read_delta(folder / "peft")
    assert kind_of(saved, "").settings == kind_of(written, "").settings
    assert {name for name in written.tensors if not name.endswith("base_layer.weight")} == set(saved.tensors)
    assert all(weight.requires_grad for weight in delta.tensors(model).values() if isinstance(weight, Parameter))


def _load(architecture: str, folder: Path) -> Any:
    delta = delta_from_folder(folder, check_base_model=False)
    model = base_model(architecture)
    delta.inject(model)
    delta.load(model, folder, "base")
    return delta, model.eval()
