"""What holds for every kind of experts."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import LoraConfig, get_peft_model

from attribution.modules.delta import Lora, write_delta
from attribution.modules.moe import LoraExperts
from attribution.modules.moe.experts import routed_modules
from attribution.modules.moe.routes import layer_routes
from tests.modules.moe.conftest import (
    IDS,
    KINDS,
    MASK,
    ONE_HOT,
    ROUTES,
    SOFT,
    TARGETS,
    generate,
    logits,
    vanilla,
    with_experts,
)

MODELS = ["bart", "t5", "t5_gated"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_average_routes_of_experts_that_are_alike_are_the_vanilla_model(kind: str, name: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model(name), kind, alike=True)
    holder.layers = layer_routes(torch.full((4, 4, 3), 1 / 3))
    assert torch.allclose(logits(transformer), logits(vanilla(tiny_model(name))), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("routes", ["one_hot", "same_for_all", "two_of_three"])
def test_running_what_is_needed_equals_running_all(kind: str, name: str, routes: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model(name), kind)
    holder.layers = layer_routes(ROUTES[routes])
    sparse = logits(transformer)
    holder.layers = layer_routes(ROUTES[routes], dense=True)
    dense = logits(transformer)
    assert torch.allclose(sparse, dense, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(sparse, logits(vanilla(tiny_model(name))), atol=1e-2)


@pytest.mark.parametrize("kind", ["feed_forward", "lora", "adapter"])
@pytest.mark.parametrize("routes", ["one_hot", "soft"])
def test_cached_beam_search_equals_uncached(kind: str, routes: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model("bart"), kind)
    holder.layers = layer_routes(ROUTES[routes])
    cached, uncached = (generate(transformer, num_beams=3, use_cache=use) for use in (True, False))
    assert torch.equal(cached.sequences, uncached.sequences)


@pytest.mark.parametrize("kind", KINDS)
def test_vanilla_layers_have_no_experts(kind: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(
        tiny_model("t5"), kind, alike=True, vanilla_encoder_layers=[0], vanilla_decoder_layers=[1]
    )
    assert {module.layer for module in routed_modules(transformer)} == {0, 1}
    names = [name for name, module in transformer.named_modules() if module in set(routed_modules(transformer))]
    assert all(name.startswith(("encoder.block.1", "decoder.block.0")) for name in names)
    holder.layers = layer_routes(SOFT[:2])
    assert torch.allclose(logits(transformer), logits(vanilla(tiny_model("t5"))), atol=1e-5)


@pytest.mark.parametrize("kind", ["layer", "feed_forward"])
def test_noise_is_relative(kind: str, tiny_model: Any) -> None:
    """As published, noise of 1e-8 left nearly all weights of size 1 as they were."""
    torch.manual_seed(1)
    transformer = vanilla(tiny_model("bart"))
    KINDS[kind](count=2, noise=0.01).inject(transformer)
    for module in routed_modules(transformer):
        for one, other in zip(module.expert_tensors(0), module.expert_tensors(1)):
            size = one.square().mean().sqrt()
            if size > 0:
                assert (one != other).all() and 0.002 < (one - other).square().mean().sqrt() / size < 0.02


@pytest.mark.parametrize("kind", ["lora", "adapter"])
def test_small_experts_train_alone(kind: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model("t5"), kind)
    trained = {name for name, weight in transformer.named_parameters() if weight.requires_grad}
    assert trained and all(name.endswith(("expert.down", "expert.up")) for name in trained)
    assert set(vanilla(tiny_model("t5")).state_dict()) == set(transformer.state_dict()) - trained


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_experts_and_the_routes(kind: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model("bart"), kind)
    routes = ONE_HOT.clone().requires_grad_()
    holder.layers = layer_routes(routes)
    transformer(input_ids=IDS, attention_mask=MASK, labels=TARGETS).loss.backward()
    assert routes.grad is not None and (routes.grad != 0).all()
    for module in routed_modules(transformer):
        for weight in module.parameters():
            assert weight.grad is not None


@pytest.mark.parametrize("kind", ["layer", "feed_forward"])
def test_gradients_of_chosen_experts_are_those_of_the_dense_mixture(kind: str, tiny_model: Any) -> None:
    transformer, holder = with_experts(tiny_model("t5"), kind)
    found = []
    for dense in (False, True):
        holder.layers = layer_routes(ONE_HOT, dense)
        transformer.zero_grad()
        transformer(input_ids=IDS, attention_mask=MASK, labels=TARGETS).loss.backward()
        found.append({name: weight.grad for name, weight in transformer.named_parameters()})
    for name, gradient in found[1].items():
        sparse = found[0][name]
        if sparse is None:
            assert not gradient.any()
        else:
            assert torch.allclose(sparse, gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"count": 0}, "count is 0"),
        ({"noise": -1.0}, "noise -1.0"),
        ({"vanilla_encoder_layers": [2]}, "vanilla_encoder_layers has 2; the encoder's are 0 to 1"),
        ({"vanilla_encoder_layers": [0, 1], "vanilla_decoder_layers": [0, 1]}, "every layer is a vanilla layer"),
    ],
)
def test_wrong_settings(settings: Any, message: str, tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        KINDS["layer"](**settings).inject(vanilla(tiny_model("t5")))


@pytest.mark.parametrize(
    "kind, settings, message",
    [
        ("lora", {"r": 0}, "r is 0"),
        ("lora", {"target_modules": []}, "`target_modules` is empty"),
        ("lora", {"target_modules": ["query"]}, "no linear layer of the name"),
        ("adapter", {"activation": "wave"}, "'wave'"),
    ],
)
def test_wrong_settings_of_small_experts(kind: str, settings: Any, message: str, tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match=message):
        KINDS[kind](**settings).inject(vanilla(tiny_model("t5")))


def test_an_architecture_whose_layers_are_not_known(tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match="the layers are not known"):
        KINDS["layer"]().inject(vanilla(tiny_model("bert2bert")))


def test_loras_of_folders_become_experts(tiny_model: Any, tmp_path: Path) -> None:
    right = []
    for number, alpha in enumerate((4.0, 8.0)):
        one = vanilla(tiny_model("t5"))
        delta = Lora(r=2, alpha=alpha)
        delta.inject(one)
        with torch.no_grad():
            for weight in delta.tensors(one).values():
                weight.normal_(std=0.1)
        delta.save(one, tmp_path / str(number), tiny_model("t5"))
        right.append(logits(one))
    folders = [str(tmp_path / "0"), str(tmp_path / "1")]
    transformer = vanilla(tiny_model("t5"))
    holder = LoraExperts(r=2, count=2, weights=folders).inject(transformer)
    for expert in range(2):
        holder.layers = layer_routes(torch.eye(2)[expert].expand(4, 4, 2))
        assert torch.allclose(logits(transformer), right[expert], atol=1e-5, rtol=1e-5)
    with pytest.raises(ConfigurationError, match="2 folders of weights for 3 experts"):
        LoraExperts(weights=folders)
    with pytest.raises(ConfigurationError, match="0 is no LoRA of these layers and rank: .*lora_A.weight is"):
        LoraExperts(r=3, count=2, weights=folders).inject(vanilla(tiny_model("t5")))


@pytest.mark.parametrize(
    "change, value, message",
    [
        ("base_model_name_or_path", "somebody/t5-other", "was tuned on another base model: .*t5-other"),
        ("use_dora", True, "is not LoRA that adds scale x B A to its layers: its `use_dora` is True"),
        ("init_lora_weights", "pissa", "is not LoRA .*: its `init_lora_weights` is 'pissa'"),
        (None, float("nan"), "lora_A.weight has values that are no numbers"),
    ],
)
def test_loras_that_are_no_experts(change: Any, value: Any, message: str, tiny_model: Any, tmp_path: Path) -> None:
    one = vanilla(tiny_model("t5"))
    delta = Lora(r=2)
    delta.inject(one)
    if change is None:
        with torch.no_grad():
            next(iter(delta.tensors(one).values())).fill_(value)
    config = {
        **delta.adapter_config(one),
        "base_model_name_or_path": tiny_model("t5"),
        **({change: value} if change else {}),
    }
    write_delta(tmp_path, json.loads(json.dumps(config, default=sorted)), delta.tensors(one))
    with pytest.raises(ConfigurationError, match=f"weights: {tmp_path}.*{message}"):
        LoraExperts(r=2, count=1, weights=[str(tmp_path)]).inject(vanilla(tiny_model("t5")))


def test_rslora_becomes_an_expert_with_its_own_scale(tiny_model: Any, tmp_path: Path) -> None:
    config = LoraConfig(r=2, lora_alpha=6, use_rslora=True, init_lora_weights=False, task_type="SEQ_2_SEQ_LM")
    tuned = get_peft_model(vanilla(tiny_model("t5")), config).eval()
    tuned.save_pretrained(tmp_path)
    transformer = vanilla(tiny_model("t5"))
    holder = LoraExperts(r=2, count=1, weights=[str(tmp_path)]).inject(transformer)
    holder.layers = layer_routes(torch.ones(4, 4, 1))
    assert torch.allclose(logits(transformer), logits(tuned), atol=1e-5, rtol=1e-5)


def test_one_expert_is_the_vanilla_model(tiny_model: Any) -> None:
    transformer = vanilla(tiny_model("bart"))
    holder = KINDS["layer"](count=1).inject(transformer)
    holder.layers = layer_routes(torch.ones(4, 4, 1))
    assert torch.equal(logits(transformer), logits(vanilla(tiny_model("bart"))))
