"""Any delta again from its folder alone."""

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta import delta_from_folder
from tests.models.conftest import make_model
from tests.modules.delta.delta_module_test import DELTAS, _model


@pytest.mark.parametrize("name", DELTAS)
@pytest.mark.parametrize("model", ["bart", "llama"])
def test_the_same_again(model: str, name: str, tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model(model)
    tuned = _model(folder, DELTAS[name])
    tuned.delta.save(tuned.transformer, tmp_path, folder)
    transformer = make_model(folder, type="causal_lm" if model == "llama" else "seq2seq").transformer
    delta = delta_from_folder(tmp_path)
    delta.inject(transformer)
    delta.load(transformer, tmp_path, folder)
    own = delta.tensors(transformer)
    assert list(own) == list(tuned.delta.tensors(tuned.transformer))
    for parameter, weight in tuned.delta.tensors(tuned.transformer).items():
        assert torch.equal(own[parameter], weight), parameter


def test_layers_by_a_regular_expression(tiny_model: Callable[[str], str], tmp_path: Path) -> None:
    folder = tiny_model("t5")
    tuned = _model(folder, {"type": "lora", "r": 2, "target_modules": r"decoder\..*SelfAttention\.q"})
    assert len(tuned.state_dict()) == 2 * 2
    tuned.delta.save(tuned.transformer, tmp_path, folder)
    transformer = make_model(folder).transformer
    delta = delta_from_folder(tmp_path)
    delta.inject(transformer)
    delta.load(transformer, tmp_path, folder)


@pytest.mark.parametrize(
    "config, message",
    [
        ({"peft_type": "ADALORA"}, "a delta of the method ADALORA, which is not known here"),
        ({"peft_type": "HOULSBY", "size": 2, "colour": "red"}, "colour"),
        ({"peft_type": "HOULSBY", "size": "two"}, "Expected size to be a int"),
        ({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 0}, "num_virtual_tokens is 0"),
    ],
)
def test_what_is_not_known(config: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: .*{message}"):
        delta_from_folder(tmp_path)
