"""Any delta again from its folder alone."""

import json
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive
from peft import get_peft_model
from transformers import AutoModelForSeq2SeqLM

from attribution.modules.delta import DeltaModule, delta_from_folder
from tests.models.conftest import make_model
from tests.modules.delta.delta_module_test import DELTAS, _model
from tests.modules.delta.peft_adapters import lora_options, peft_config


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
        ({"peft_type": "ADALORA"}, "a delta of PEFT's method ADALORA is not loaded here"),
        ({"peft_type": "ADELORA"}, "a delta of the method ADELORA, which is not known here"),
        ({"peft_type": "LORA", "a_setting_to_come": 3}, "this version of PEFT does not know `a_setting_to_come`"),
        ({"peft_type": "HOULSBY", "size": 2, "colour": "red"}, "colour"),
        ({"peft_type": "HOULSBY", "size": "two"}, '"size" is "two"; a whole number is needed'),
        ({"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 0}, "num_virtual_tokens is 0"),
    ],
)
def test_what_is_not_known(config: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match=f"{tmp_path}: .*{message}"):
        delta_from_folder(tmp_path)


@pytest.mark.parametrize(
    "name", ["lora", "houlsby", "dora", "modules_to_save", "pissa", "tokens", "all_biases", "embedding"]
)
def test_a_model_goes_on_from_a_folder(
    name: str, train_config: Any, allennlp: Any, tiny_model: Any, tmp_path: Path
) -> None:
    """
    Rank 2 or size 4, which the configuration does not say, or an adapter of PEFT's; and its archive, which holds what
    became of them.
    """
    if name in DELTAS:
        tuned = _model(tiny_model("bart"), DELTAS[name])
        tuned.delta.save(tuned.transformer, tmp_path / "delta", tiny_model("bart"))
    else:
        adapter = peft_config("bart", "LORA", **lora_options("bart")[name].settings)
        base = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("bart"))
        get_peft_model(base, adapter).save_pretrained(tmp_path / "delta")
    delta = {"type": "folder", "weights": str(tmp_path / "delta")}
    before = make_model(tiny_model("bart"), delta=dict(delta)).state_dict()
    result = allennlp(
        "train", train_config({"model.delta": delta, "trainer.num_epochs": 1}, model="bart"), "-s", tmp_path / "run"
    )
    assert result.status == 0, result.stderr
    trained = torch.load(tmp_path / "run" / "best.th", weights_only=True)
    loaded = load_archive(tmp_path / "run" / "model.tar.gz").model.state_dict()
    assert before.keys() == trained.keys() == loaded.keys()
    assert all(torch.equal(loaded[name], trained[name]) for name in trained)
    moved = [(trained[name] - before[name]).abs().max().item() for name in trained]
    assert 0 < max(moved) < 0.1


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no adapter_config.json; it is not the folder of a delta"):
        DeltaModule.from_params(Params({"type": "folder", "weights": str(tmp_path)}))
