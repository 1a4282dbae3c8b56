"""One contract for every delta module."""

from typing import Any, Callable, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from tests.models.conftest import make_batch, make_model

DELTAS: Dict[str, Dict[str, Any]] = {"lora": {"type": "lora", "r": 2}}


@pytest.mark.parametrize("name", DELTAS)
def test_the_identity_at_first_and_alone_in_the_state_dict(name: str, tiny_model: Callable[[str], str]) -> None:
    folder = tiny_model("t5")
    plain, tuned = make_model(folder).eval(), make_model(folder, delta=dict(DELTAS[name])).eval()
    batch = make_batch(folder)
    for one, other in zip(tuned(**batch)["scores"], plain(**batch)["scores"]):
        assert one == pytest.approx(other, abs=1e-5)
    trainable = {parameter for parameter, weight in tuned.named_parameters() if weight.requires_grad}
    assert trainable and all(f"{name}_" in parameter for parameter in trainable)
    assert set(tuned.state_dict()) == trainable
    changed = {key: torch.randn_like(weight) for key, weight in tuned.state_dict().items()}
    tuned.load_state_dict(changed)
    assert tuned(**batch)["scores"] != plain(**batch)["scores"]
    again = make_model(folder, delta=dict(DELTAS[name])).eval()
    again.load_state_dict(tuned.state_dict())
    assert again(**batch)["scores"] == tuned(**batch)["scores"]
    with pytest.raises(RuntimeError, match="Missing key"):
        again.load_state_dict({})


@pytest.mark.parametrize("name", DELTAS)
def test_a_pattern_that_matches_nothing_is_an_error(name: str, tiny_model: Callable[[str], str]) -> None:
    with pytest.raises(ConfigurationError, match="nothing"):
        make_model(tiny_model("t5"), delta={**DELTAS[name], "target_modules": ["nothing"]})
