"""By hand. PEFT's own adapters, all of them, are in peft_adapter_test.py and peft_merges_test.py."""

from typing import Any, Dict, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta.delta_kind import Base, DeltaKind, base_difference, delta_kind, settings_difference

LAYER = "base_model.model.layers.{}.q_proj"


def _kind(config: Dict[str, Any], *more: str) -> DeltaKind:
    shapes: Dict[str, List[int]] = {name: [4] for name in more}
    for number in range(2):
        shapes[f"{LAYER.format(number)}.lora_A.weight"] = [2, 6]
        shapes[f"{LAYER.format(number)}.lora_B.weight"] = [5, 2]
    return delta_kind({"peft_type": "LORA", "r": 2, "lora_alpha": 6, **config}, shapes, "here")


def test_products_and_their_scales() -> None:
    products = _kind({"alpha_pattern": {"layers.1.q_proj": 1}}).products
    assert {name: product.scale for name, product in products.items()} == {
        f"{LAYER.format(0)}.lora_A.weight": 3.0,
        f"{LAYER.format(1)}.lora_A.weight": 0.5,
    }
    assert products[f"{LAYER.format(1)}.lora_A.weight"].second == f"{LAYER.format(1)}.lora_B.weight"
    assert _kind({"lora_alpha": -6}).settings["scaling"] == -3.0
    assert not _kind({"use_dora": True}).products and _kind({"use_dora": True}).other_product == "use_dora"
    assert _kind({"init_lora_weights": "pissa"}).changes_base and not _kind({"init_lora_weights": "eva"}).changes_base


def test_tensors_of_the_base_model() -> None:
    head, bias, copy = "base_model.model.lm_head.weight", f"{LAYER.format(0)}.base_layer.bias", "embed_tokens.weight"
    kind = _kind({"modules_to_save": ["lm_head"]}, head, bias, copy, f"{LAYER.format(0)}.lora_magnitude_vector")
    assert kind.absolute == {head, bias, f"{LAYER.format(0)}.lora_magnitude_vector"} and kind.copies == {copy}
    assert _kind({}, head).copies == {head}
    assert _kind({"init_lora_weights": "olora"}, copy).absolute == set(_kind({}).products) | {
        product.second for product in _kind({}).products.values()
    }


@pytest.mark.parametrize(
    "one, other",
    [
        ({"init_lora_weights": True}, {"init_lora_weights": "gaussian", "eva_config": {"rho": 2.0}}),
        ({"trainable_token_indices": [3, 7]}, {"trainable_token_indices": {"embed_tokens": [3, 7]}}),
        ({"bias": "all"}, {"bias": "none"}),
        (
            {"target_modules": ["q_proj"]},
            {"target_modules": ".*q_proj", "peft_version": "0.5.0", "revision": "x"},
        ),
        ({"lora_dropout": 0.1}, {"alpha_pattern": {"q_proj": 6}, "rank_pattern": {"q_proj": 2}}),
    ],
)
def test_two_ways_to_say_the_same(one: Any, other: Any) -> None:
    assert settings_difference(_kind(one), _kind(other)) == ""


def test_what_is_not_the_same() -> None:
    plain = _kind({})
    assert settings_difference(plain, _kind({"lora_alpha": 3})) == "`scaling` is 3.0 and 1.5"
    assert settings_difference(plain, _kind({"init_lora_weights": "olora"})) == (
        "`init_lora_weights` is None and 'olora'"
    )
    tokens = [_kind({"trainable_token_indices": rows}) for rows in ([3, 7], [7, 3])]
    assert settings_difference(*tokens) == "`trainable_token_indices` is [3, 7] and [7, 3]"


def test_base_models() -> None:
    named = Base(None, "somebody/t5")
    assert not base_difference(named, Base(None, "/models/t5")) and not base_difference(named, Base("a", ""))
    assert "'somebody/t5' and 'somebody/t5@old'" in base_difference(
        named, Base.of({"base_model_name_or_path": "somebody/t5", "revision": "old"}, None)
    )
    assert not base_difference(Base("a", "one"), Base("a", "other"))
    assert "different weights" in base_difference(Base("a", "one"), Base("b", "one"))


@pytest.mark.parametrize(
    "config, message",
    [
        ({"r": 3}, "here: its settings say that the rank of layers.0.q_proj is 3, and its tensors that it is 2"),
        ({"r": 0}, "here: the rank of layers.0.q_proj is 0"),
        ({"lora_alpha": float("nan")}, "its alpha nan"),
        ({"target_modules": ["q_proj", None]}, r"`target_modules` is \['q_proj', None\]; a text or a list of texts"),
        ({"modules_to_save": 1}, "`modules_to_save` is 1; a text or a list of texts is needed"),
        ({"target_modules": ["v_proj"]}, "tensors of layers.0.q_proj, which `target_modules` .* not name: .'v_proj'"),
        ({"target_modules": "("}, "tensors of layers.0.q_proj, which `target_modules` .* not name: [(]"),
        ({"init_lora_weights": "corda"}, "here: .*corda"),
        ({"layer_replication": [[0, 1]]}, "here: LoRA with `layer_replication` is not known here"),
        ({"my_note": "x"}, "here: .* does not know `my_note`; .* or take it out if it is a note"),
        ({"peft_type": "lora"}, "here: a delta of the method lora, which is not known here"),
        ({"peft_type": "NEW"}, "here: a delta of the method NEW, which is not known here"),
    ],
)
def test_refusals(config: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _kind(config)
