from typing import Callable

from tests.models.conftest import make_model


def test_everything_trains_and_is_kept(tiny_model: Callable[[str], str]) -> None:
    plain, full = make_model(tiny_model("t5")), make_model(tiny_model("t5"), delta={"type": "none"})
    assert all(weight.requires_grad for weight in full.parameters())
    assert set(full.state_dict()) == set(plain.state_dict())
