from pathlib import Path

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.models.stage_one import router_state, stage_one_state
from attribution.modules.moe import LinearRouter


def test_the_best_weights_of_a_training_are_read(tmp_path: Path) -> None:
    torch.save({"router.a": torch.ones(2)}, tmp_path / "best.th")
    assert stage_one_state(str(tmp_path))["router.a"].tolist() == [1.0, 1.0]
    with pytest.raises(ConfigurationError, match="router_from .*nothing: no archive"):
        stage_one_state(str(tmp_path / "nothing"))
    (tmp_path / "cut.tar.gz").write_text("no archive")
    with pytest.raises(ConfigurationError, match="cut.tar.gz"):
        stage_one_state(str(tmp_path / "cut.tar.gz"))


def test_a_router_of_another_shape() -> None:
    router = LinearRouter(2, 3, 4, hidden_size=5)
    state = {f"router.{name}": tensor for name, tensor in router.state_dict().items()}
    assert set(router_state({**state, "transformer.x": torch.zeros(1)}, router, "here")) == set(router.state_dict())
    with pytest.raises(ConfigurationError, match=r"here: its router is of another shape: routers.0.0.weight is \(5"):
        router_state(state, LinearRouter(2, 3, 6, hidden_size=5), "here")
    with pytest.raises(ConfigurationError, match="missing there"):
        router_state({}, router, "here")
