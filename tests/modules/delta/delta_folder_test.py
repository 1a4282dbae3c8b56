"""Bytes on disk: whole or not a delta, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import save_file

from attribution.modules.delta import base_fingerprint, delta_folder, read_delta, write_delta
from attribution.modules.delta.delta_folder import read_delta_config

CONFIG = {"peft_type": "HOULSBY", "size": 2, "base_model_name_or_path": "google/t5"}
TENSORS = {"base_model.model.a": torch.tensor([[1.0, 2.0]]), "base_model.model.b": torch.zeros(0, 3)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "weights.json").write_text("{}")  # Of something else.
    write_delta(tmp_path, CONFIG, TENSORS, "abc")
    delta = read_delta(tmp_path)
    assert delta.config == CONFIG and delta.base_fingerprint == "abc"
    assert {name: tensor.tolist() for name, tensor in delta.tensors.items()} == {
        "base_model.model.a": [[1.0, 2.0]],
        "base_model.model.b": [],
    }
    write_delta(tmp_path, CONFIG, {"base_model.model.a": torch.ones(1)})
    assert list(read_delta(tmp_path).tensors) == ["base_model.model.a"]
    assert read_delta(tmp_path).base_fingerprint is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "weights.json",
    ]


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name, tensors in (("one", TENSORS), ("two", dict(reversed(TENSORS.items())))):
        write_delta(tmp_path / name, CONFIG, tensors, "abc")
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_folder_that_was_not_finished_is_no_delta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_delta(tmp_path, CONFIG, TENSORS)

    def stop(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(delta_folder, "save_file", stop)
    with pytest.raises(KeyboardInterrupt):
        write_delta(tmp_path, CONFIG, TENSORS)
    with pytest.raises(ConfigurationError, match="has no adapter_config.json; it is not the folder of a delta, or not"):
        read_delta(tmp_path)


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


def test_bad_folders(tmp_path: Path, capsys: Any) -> None:
    def message(**settings: Any) -> str:
        with pytest.raises(ConfigurationError) as error:
            read_delta(tmp_path, **settings)
        assert str(tmp_path) in str(error.value)
        return str(error.value)

    assert "has no adapter_config.json" in message()
    config, weights = tmp_path / "adapter_config.json", tmp_path / "adapter_model.safetensors"
    config.write_text("{")
    assert "not JSON" in message()
    for content in ("[]", '{"peft_type": null}'):
        config.write_text(content)
        assert "does not name its method" in message()
    config.write_text(json.dumps(CONFIG))
    assert "has no adapter_model.safetensors" in message()
    save_file({"a": torch.zeros(100)}, weights)
    weights.write_bytes(weights.read_bytes()[:-1])
    assert "truncated" in message()
    torch.save({"a": torch.zeros(3)}, weights)  # A pickle under another name.
    assert "truncated or no file of tensors" in message()
    weights.rename(tmp_path / "adapter_model.bin")
    assert "has a pickle, adapter_model.bin" in message()
    assert list(read_delta(tmp_path, allow_pickle=True).tensors) == ["a"]
    torch.save({"a": Harmful()}, tmp_path / "adapter_model.bin")
    assert "could execute code" in message(allow_pickle=True)
    torch.save([1], tmp_path / "adapter_model.bin")
    assert "not tensors by name" in message(allow_pickle=True)
    assert "executed" not in capsys.readouterr().out


def test_a_fingerprint_is_of_all_frozen_weights() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(100, 100), torch.nn.Linear(2, 2))
    assert base_fingerprint(model) == base_fingerprint(torch.nn.Linear(2, 2))  # Nothing is frozen.
    model[0].requires_grad_(False)
    before = base_fingerprint(model)
    torch.nn.init.zeros_(model[1].weight)
    assert base_fingerprint(model) == before
    model[0].weight.data += 1e-6 * torch.randn(100, 100)
    assert base_fingerprint(model) != before


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"base_model_name_or_path": [[]]}, r"`base_model_name_or_path` is \[\[\]\]; a text or null is needed"),
        ({"revision": 1}, "`revision` is 1"),
        ({"init_lora_weights": {}}, r"`init_lora_weights` is \{\}; true or false or a text or null"),
        ({"rank_pattern": [1]}, "`rank_pattern`"),
        ({"lora_alpha": True}, "`lora_alpha` is True; a whole number or a number"),
        ({"use_rslora": "false"}, "`use_rslora` is 'false'; true or false"),
    ],
)
def test_settings_of_another_kind(settings: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({**CONFIG, **settings}))
    with pytest.raises(ConfigurationError, match=f"adapter_config.json: {message}"):
        read_delta_config(tmp_path)
