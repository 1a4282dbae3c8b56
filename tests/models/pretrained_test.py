"""Weights from files: what loads, and what is refused."""

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import save_file

from tests.models.conftest import make_model


@pytest.mark.parametrize("setting", ["weights_file", "checkpoint_for_initialization"])
@pytest.mark.parametrize("ending", ["th", "safetensors"])
def test_weights_from_a_file(setting: str, ending: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    trained = make_model(tiny_model("t5"), random_weights=True)
    path = tmp_path / f"weights.{ending}"
    if ending == "th":
        torch.save(trained.state_dict(), path)
    else:
        trained.transformer.save_pretrained(tmp_path)
        (tmp_path / "model.safetensors").rename(path)
    loaded = make_model(tiny_model("t5"), **{setting: str(path)})
    for name, weight in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight), name


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


def test_bad_weight_files(tiny_model: Callable[[str], str], tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "weights.th"
    state = {name: weight for name, weight in make_model(tiny_model("t5")).state_dict().items()}
    settings = {"weights_file": str(path)}

    def message() -> str:
        with pytest.raises(ConfigurationError) as error:
            make_model(tiny_model("t5"), **settings)
        return str(error.value)

    assert "no such file" in message()
    torch.save({**state, "transformer.shared.weight": torch.zeros(3, 3)}, path)
    assert "have another shape, the first: transformer.shared.weight (3, 3) instead of (128, 16)" in message()
    torch.save({"transformer.shared.weight": state["transformer.shared.weight"]}, path)
    assert "are missing" in message()
    torch.save({**state, "transformer.surplus": torch.zeros(3)}, path)
    assert "are unknown, the first: transformer.surplus" in message()
    torch.save({"x": Harmful()}, path)
    assert "could execute code" in message() and str(path) in message()
    assert "executed" not in capsys.readouterr().out
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert "truncated" in message()
    save_file(state_clone := {name: weight.clone() for name, weight in state.items()}, tmp_path / "w.safetensors")
    assert state_clone
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:100])
    settings["weights_file"] = str(tmp_path / "w.safetensors")
    assert "truncated" in message()
