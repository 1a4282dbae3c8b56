from typing import Callable

import pytest
from allennlp.common.checks import ConfigurationError

from tests.models.conftest import make_model


def test_all_that_the_model_has(tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("bart"), delta={"type": "bias"})
    everything = {name for name, _ in model.named_parameters() if name.endswith(".bias")}
    assert {name for name, weight in model.named_parameters() if weight.requires_grad} == everything
    assert any("layer_norm" in name for name in everything) and any("fc1" in name for name in everything)


def test_new_ones_are_zero(tiny_model: Callable[[str], str]) -> None:
    model = make_model(tiny_model("t5"), delta={"type": "bias", "target_modules": ["q", "v"]})
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    assert len(trained) == 2 * 6 and {name.split(".")[-2] for name in trained} == {"q", "v"}
    assert not any(weight.any() for weight in trained.values())


def test_bad_settings(tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="a T5ForConditionalGeneration has no bias; name under `target_mod"):
        make_model(tiny_model("t5"), delta={"type": "bias"})
    with pytest.raises(ConfigurationError, match="a T5Stack takes no bias; name linear layers"):
        make_model(tiny_model("t5"), delta={"type": "bias", "target_modules": ["encoder"]})
