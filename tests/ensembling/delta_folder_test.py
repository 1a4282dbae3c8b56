import json
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import save_file

from attribution.ensembling.delta_folder import CONFIG, WEIGHTS, DeltaFolder, common_layout
from tests.ensembling.conftest import lora_tensors

FIRST = "base_model.model.encoder.block.0.layer.0.SelfAttention.q.lora_A.weight"


def test_reads_the_layout_alone(write_delta: Callable[..., DeltaFolder]) -> None:
    delta = write_delta("a", lora_tensors(1))
    assert delta.layout.tensors[FIRST] == ("F32", (2, 5)) and len(delta.layout.tensors) == 8
    assert delta.layout.config["r"] == 2
    assert [file.name for file in delta.files] == [CONFIG, WEIGHTS]


def test_what_does_not_matter_may_differ(write_delta: Callable[..., DeltaFolder]) -> None:
    one = write_delta("a", lora_tensors(1), inference_mode=True, peft_version="0.18.0")
    for changes in (
        {"target_modules": ["v", "q"], "lora_dropout": 0.1, "use_dora": False, "bias": "none"},
        {"target_modules": ".*SelfAttention.q", "init_lora_weights": "gaussian", "qalora_group_size": 16},
        {"r": 4, "rank_pattern": {"q": 2}, "exclude_modules": ["k"], "layers_to_transform": [0, 1]},
        {"lora_alpha": 9, "alpha_pattern": {"SelfAttention.q": 4}, "fan_in_fan_out": True},
        {"base_model_name_or_path": "somebody/t5-tiny"},
    ):
        other = write_delta("b", lora_tensors(2), **changes)
        assert common_layout([one, other]).config == one.layout.config


def test_one_base_model_in_two_places(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> None:
    for name, content in (("base", "{}"), ("copy", "{}"), ("other", "{ }")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(content)
    one, copy, other = (
        write_delta(name, lora_tensors(1), base_model_name_or_path=str(tmp_path / name))
        for name in ("base", "copy", "other")
    )
    assert common_layout([one, copy]).tensors
    with pytest.raises(ConfigurationError, match="base_model_name_or_path` is '.*/base' and '.*/other' .of one model"):
        common_layout([one, other])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"peft_type": "IA3"}, "`peft_type` is 'LORA' and 'IA3'"),
        ({"lora_alpha": 8}, "`scaling` is 2.0 and 4.0"),
        ({"use_rslora": True}, "`scaling` is 2.0 and 2.82"),
        ({"alpha_pattern": {"block.1.*q": 8}}, "`scaling` is 2.0 and {'"),
        (
            {"base_model_name_or_path": "t5-other"},
            "`base_model_name_or_path` is 't5-tiny' and 't5-other' (of one",
        ),
        ({"use_dora": True}, "`use_dora` is None and True"),
        ({"init_lora_weights": "pissa"}, "`init_lora_weights` is None and 'pissa'"),
    ],
)
def test_deltas_of_different_kinds(changes: Any, message: str, write_delta: Callable[..., DeltaFolder]) -> None:
    deltas = [write_delta("a", lora_tensors(1)), write_delta("b", lora_tensors(2)), write_delta("c", lora_tensors(3))]
    deltas[2] = write_delta("c", lora_tensors(3), **changes)
    with pytest.raises(ConfigurationError, match="a and .*c do not go together: ") as error:
        common_layout(deltas)
    assert message in str(error.value)


def test_other_models_under_one_name(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> None:
    """As of two trainings' `final`; and revisions of one on the hub."""
    names = [tmp_path / run / "final" for run in ("one", "other")]
    for number, name in enumerate(names):
        name.mkdir(parents=True)
        (name / "model.safetensors").write_text(str(number))
    deltas = [write_delta(name.parent.name, lora_tensors(1), base_model_name_or_path=str(name)) for name in names]
    with pytest.raises(ConfigurationError, match="base_model_name_or_path` is '.*one/final' and '.*other/final'"):
        common_layout(deltas)
    (names[1] / "model.safetensors").write_text("0")
    (names[1] / "tokenizer.json").write_text("{}")
    assert common_layout(deltas)
    first, main, later = (write_delta(str(name), lora_tensors(1), revision=name) for name in (None, "main", "step9"))
    assert common_layout([first, main])
    with pytest.raises(ConfigurationError, match="base_model_name_or_path` is 't5-tiny' and 't5-tiny@step9'"):
        common_layout([main, later])


def test_a_rank_that_the_tensors_do_not_have(write_delta: Callable[..., DeltaFolder]) -> None:
    with pytest.raises(ConfigurationError, match="s: its settings say that the rank of .* is 8, and its tensors .* 2"):
        _ = write_delta("s", lora_tensors(1), r=8).layout.kind


def test_the_base_model_by_its_weights(write_delta: Callable[..., DeltaFolder]) -> None:
    """Two models may have one name; a delta of another program's does not say what it was tuned on."""
    deltas = [write_delta(name, lora_tensors(1)) for name in "abc"]
    for delta, metadata in zip(deltas, [{"base_fingerprint": "1" * 64}, {"base_fingerprint": "1" * 64}, None]):
        save_file(lora_tensors(1), delta.files[1], metadata)
    one, same, silent = (DeltaFolder(delta.path) for delta in deltas)
    assert common_layout([one, same]).metadata == {"base_fingerprint": "1" * 64}
    assert common_layout([one, same, silent]).metadata == {}
    elsewhere = json.loads(same.files[0].read_text())
    same.files[0].write_text(json.dumps({**elsewhere, "base_model_name_or_path": "/models/t5-tiny"}))
    assert common_layout([one, DeltaFolder(same.path)]).metadata
    save_file(lora_tensors(1), same.files[1], {"base_fingerprint": "2" * 64})
    with pytest.raises(ConfigurationError, match="a and .*b do not go together: different weights"):
        common_layout([one, DeltaFolder(same.path)])


def test_tensors_that_differ(write_delta: Callable[..., DeltaFolder]) -> None:
    one = write_delta("a", lora_tensors(1))
    tensors = lora_tensors(2)
    for changed, message in (
        ({FIRST: tensors[FIRST][:, :4].contiguous()}, f"the tensor {FIRST} is [2, 5] of F32 and [2, 4] of F32"),
        ({FIRST: tensors[FIRST].half()}, "[2, 5] of F32 and [2, 5] of F16"),
        ({"more": torch.zeros(1)}, "the tensor more is only in the second"),
    ):
        with pytest.raises(ConfigurationError) as error:
            common_layout([one, write_delta("b", {**tensors, **changed})])
        assert message in str(error.value)
    del tensors[FIRST]
    with pytest.raises(ConfigurationError, match="is only in the first"):
        common_layout([one, write_delta("b", tensors)])


def test_a_pickle_where_it_is_asked_for(write_delta: Callable[..., DeltaFolder]) -> None:
    plain, other = write_delta("a", lora_tensors(1)), write_delta("b", lora_tensors(1))
    other.files[1].unlink()
    torch.save(lora_tensors(1), other.path / "adapter_model.bin")
    pickled = DeltaFolder(other.path, allow_pickle=True)
    assert [file.name for file in pickled.files] == [CONFIG, "adapter_model.bin"]
    assert common_layout([plain, pickled]).tensors == plain.layout.tensors
    found = bytearray(40)
    with pickled.reader as reader:
        reader.read_into(found, FIRST)
    assert bytes(found) == lora_tensors(1)[FIRST].numpy().tobytes()
    torch.save({FIRST: Path("x")}, other.path / "adapter_model.bin")
    with pytest.raises(ConfigurationError, match="adapter_model.bin"):
        DeltaFolder(other.path, allow_pickle=True)


def test_folders_that_hold_no_delta(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{WEIGHTS}: has no tensors"):
        write_delta("a", {})
    folder = write_delta("a", lora_tensors(1)).path
    for content in ("{", "[]", json.dumps({"r": 2})):
        (folder / CONFIG).write_text(content)
        with pytest.raises(ConfigurationError, match=CONFIG):
            DeltaFolder(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(ConfigurationError, match=f"has no {CONFIG}"):
        DeltaFolder(folder)
    with pytest.raises(ConfigurationError, match=f"not the folder of a delta: it has no {WEIGHTS}"):
        DeltaFolder(tmp_path)
    (folder / WEIGHTS).rename(folder / "adapter_model.bin")
    with pytest.raises(ConfigurationError, match="adapter_model.bin: is a pickle, and adapter_model.safetensors is"):
        DeltaFolder(folder)
