from typing import Callable

from tests.models.conftest import make_model


def test_everything_trains_and_is_kept(tiny_model: Callable[[str], str]) -> None:
    plain, full = make_model(tiny_model("t5")), make_model(tiny_model("t5"), delta={"type": "none"})
    trained = [[name for name, weight in model.named_parameters() if weight.requires_grad] for model in (plain, full)]
    assert trained[0] == trained[1]
    assert set(full.state_dict()) == set(plain.state_dict())
