"""Every merger on adapters as PEFT makes them: one source is given back, and a mix is the mix of what they do."""

from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
import transformers
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from packaging import version
from safetensors.torch import load_file, save_file

from attribution.ensembling import DeltaFolder, DeltaMerger, merge_deltas
from attribution.ensembling.delta_folder import WEIGHTS
from attribution.modules.delta import delta_from_folder
from tests.ensembling.conftest import weights_of
from tests.modules.delta.peft_adapter_test import REFUSED, everywhere, refused_by_name
from tests.modules.delta.peft_adapters import (
    METHODS,
    base_model,
    logits,
    lora_options,
    peft_config,
    peft_model,
    save_adapter,
)

MERGERS: List[Dict[str, Any]] = [
    {"type": "linear"},
    {"type": "ties", "density": 0.2},
    {"type": "product_space"},
    {"type": "product_space", "rank": 7},
    {"type": "concatenation"},
]
# Options that hold weights of the base model.
ABSOLUTE = {"all_biases", "dora", "kasa", "lora_only", "modules_to_save", "olora", "pissa", "saved_head", "tied"}
ABSOLUTE |= {"tokens"}
TRANSFORMERS_5 = version.parse(transformers.__version__).major > 4
NO_PRODUCT = {"bdlora", "dora", "expert_parameters", "kasa"}
AVERAGED = {
    "BEFT",
    "C3A",
    "FOURIERFT",
    "IA3",
    "LN_TUNING",
    "LORA",
    "PREFIX_TUNING",
    "PROMPT_TUNING",
    "TRAINABLE_TOKENS",
}
AVERAGED |= {"WAVEFT"}


def refusal(name: str, architecture: str, merger: Dict[str, Any]) -> str:
    """What the message says; empty: it is merged."""
    has_bias = architecture not in ("llama", "t5", "mixtral")
    absolute = name in ABSOLUTE and (has_bias or name not in ("all_biases", "lora_only"))
    if name in REFUSED:
        return REFUSED[name]
    if merger["type"] == "ties" and absolute:
        return "hold (weights|a part) of the base model .* use linear"
    if merger["type"] in ("product_space", "concatenation"):
        # Of all linear layers of a Mixtral PEFT takes the experts' parameters, which are layers in transformers 4.
        if name in NO_PRODUCT or (TRANSFORMERS_5 and (architecture, name) == ("mixtral", "all_linear")):
            return "merges products B A of LoRA, and these deltas are LoRA with `.*use linear"
        if merger.get("rank") and name in ("rank_pattern", "alpha_pattern"):
            return "leave `rank` out"
        if (merger.get("rank") or merger["type"] == "concatenation") and name in ("pissa", "olora"):
            return "starts by '(pissa|olora)' .* (leave `rank` out|use product_space)"
    return ""


@pytest.mark.parametrize("architecture, name", everywhere("llama"))
def test_lora(architecture: str, name: str, tmp_path: Path) -> None:
    config = lora_options(architecture)[name].settings
    for seed in range(2):
        save_adapter(architecture, peft_config(architecture, "LORA", **config), tmp_path / str(seed), seed)
    theirs = [logits(peft_model(architecture, tmp_path / str(seed)), architecture) for seed in range(2)]
    for merger in MERGERS:
        message = refusal(name, architecture, merger)
        if message:
            with pytest.raises(ConfigurationError, match=message):
                _merge(merger, tmp_path, [[1.0]])
            continue
        [alone] = _merge(merger, tmp_path, [[1.0]])
        one, other = _merge(merger, tmp_path, [[1.0, 0.0], [0.0, 1.0]])
        for folder, wanted in ((alone, theirs[0]), (one, theirs[0]), (other, theirs[1])):
            assert_same(logits(peft_model(architecture, folder), architecture), wanted)


@pytest.mark.parametrize("merger", [{"type": "concatenation"}, {"type": "product_space", "rank": 7}])
@pytest.mark.parametrize("architecture, name", everywhere("llama"))
def test_a_mix_of_lora_is_the_mix_of_its_weights(
    architecture: str, name: str, merger: Dict[str, Any], tmp_path: Path
) -> None:
    """With room for the sum of both; with less it is its best approximation (`product_space_merger_test`)."""
    if refusal(name, architecture, merger):
        pytest.skip("refused")
    config = peft_config(architecture, "LORA", **lora_options(architecture)[name].settings)
    _check_mix(architecture, config, merger, tmp_path)


@pytest.mark.parametrize("merger", [{"type": "linear"}, {"type": "product_space"}])
@pytest.mark.parametrize("architecture, name", everywhere("llama"))
def test_the_mean_of_two_equal_sources_is_each(
    architecture: str, name: str, merger: Dict[str, Any], tmp_path: Path
) -> None:
    if refusal(name, architecture, merger):
        pytest.skip("refused")
    config = lora_options(architecture)[name].settings
    for seed in range(2):
        save_adapter(architecture, peft_config(architecture, "LORA", **config), tmp_path / str(seed))
    [mixed] = _merge(merger, tmp_path, [[0.75, 0.25]])
    theirs = logits(peft_model(architecture, tmp_path / "0"), architecture)
    assert_same(logits(peft_model(architecture, mixed), architecture), theirs)


@pytest.mark.parametrize("method", sorted(name for name, settings in METHODS.items() if isinstance(settings, dict)))
def test_methods(method: str, tmp_path: Path) -> None:
    """`linear`, of all but LoRA, mixes what they do, or refuses."""
    try:
        config = peft_config("llama", method, **METHODS[method])
    except KeyError:
        pytest.skip(f"this version of PEFT has no {method}")
    for seed in range(2):
        save_adapter("llama", config, tmp_path / str(seed), seed)
    theirs = logits(peft_model("llama", tmp_path / "0"), "llama")
    for merger in MERGERS:
        fits = {"linear": method in AVERAGED, "ties": method in AVERAGED - {"LN_TUNING", "TRAINABLE_TOKENS"}}
        if merger["type"] == "ties" and method in ("PREFIX_TUNING", "PROMPT_TUNING"):
            fits["ties"] = False
        if not fits.get(merger["type"], method == "LORA"):
            with pytest.raises(ConfigurationError, match=f"{method}|of type I|LORA"):
                _merge(merger, tmp_path, [[1.0, 0.0]])
            continue
        [one] = _merge(merger, tmp_path, [[1.0, 0.0]])
        assert_same(logits(peft_model("llama", one), "llama"), theirs)
    if method in AVERAGED - {"BEFT", "LORA", "PREFIX_TUNING", "PROMPT_TUNING"}:
        _check_mix("llama", config, {"type": "linear"}, tmp_path)


def test_weights_that_do_not_sum_to_one(tmp_path: Path) -> None:
    for name in ["plain", *sorted(ABSOLUTE & set(lora_options("gpt2")))]:
        folder, settings = tmp_path / name, lora_options("gpt2")[name].settings
        for seed in range(2):
            save_adapter("gpt2", peft_config("gpt2", "LORA", **settings), folder / str(seed), seed)
        for merger in (merger for merger in MERGERS if merger["type"] != "ties"):
            if name == "plain":
                assert _merge(merger, folder, [[0.7, -0.5]])
            elif not refusal(name, "gpt2", merger) and not refused_by_name("gpt2", name):
                with pytest.raises(ConfigurationError, match="hold weights of the base model .* must sum to 1"):
                    _merge(merger, folder, [[0.7, -0.5]])


def assert_same(merged: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(merged, wanted, atol=1e-5 * max(1.0, wanted.abs().max().item()), rtol=0)


@pytest.mark.parametrize("merger", MERGERS, ids=lambda merger: "-".join(map(str, merger.values())))
def test_copies_of_embeddings_stay_as_they_are(merger: Dict[str, Any], tmp_path: Path) -> None:
    """Five fifths of a weight are not quite the weight; and PEFT puts the copy over the model's own."""
    for seed in range(5):
        config = peft_config("llama", "LORA", target_modules=["embed_tokens", "q_proj"])
        save_adapter("llama", config, tmp_path / str(seed), seed)
    [copied] = [name for name in load_file(tmp_path / "0" / WEIGHTS) if name.endswith("base_layer.weight")]
    for folder in _merge(merger, tmp_path, [[0.2] * 5, [0.1, 0.2, 0.3, 0.3, 0.1]]):
        assert torch.equal(load_file(folder / WEIGHTS)[copied], load_file(tmp_path / "0" / WEIGHTS)[copied])
        delta = delta_from_folder(folder, check_base_model=False)
        model = base_model("llama")
        delta.inject(model)
        delta.load(model, folder, "base")
        assert_same(logits(model.eval(), "llama"), logits(peft_model("llama", folder), "llama"))
    path = tmp_path / "0" / WEIGHTS
    save_file({**load_file(path), copied: load_file(path)[copied] + 1}, path)
    with pytest.raises(ConfigurationError, match=f"{copied} is the base model's, and not the same in all deltas"):
        _merge(merger, tmp_path, [[0.2] * 5])


def _check_mix(architecture: str, config: Any, merger: Dict[str, Any], folder: Path) -> None:
    for seed in range(2):
        save_adapter(architecture, config, folder / str(seed), seed)
    [mixed] = _merge(merger, folder, [[0.75, 0.25]])
    try:
        one, other, merged = (_weights(architecture, path) for path in (folder / "0", folder / "1", mixed))
    except (NotImplementedError, RuntimeError, ValueError) as error:
        pytest.skip(f"PEFT does not merge it into the model: {error}")
    base = base_model(architecture).state_dict()
    assert any(not torch.equal(one[name], base[name]) for name in base)
    for name in base:
        wanted = 0.75 * one[name].double() + 0.25 * other[name].double()
        torch.testing.assert_close(merged[name].double(), wanted, atol=1e-5, rtol=1e-5, msg=name)


def _weights(architecture: str, folder: Path) -> Dict[str, torch.Tensor]:
    return peft_model(architecture, folder).merge_and_unload().state_dict()


def _merge(merger: Dict[str, Any], folder: Path, weights: List[List[float]]) -> List[Path]:
    sources = [DeltaFolder(folder / str(seed)) for seed in range(len(weights[0]))]
    targets = [folder / "merged" / f"{'-'.join(map(str, merger.values()))}-{row}" for row in weights]
    for target in targets:
        target.mkdir(parents=True, exist_ok=True)
    merge_deltas(sources, weights_of(weights), DeltaMerger.from_params(Params(dict(merger))), targets)
    assert all(load_file(target / WEIGHTS) for target in targets)
    return targets
