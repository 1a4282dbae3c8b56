from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.modules.delta import read_delta, write_delta
from attribution.similarity import Euclidean, ParameterCosine, TargetTask
from tests.modules.delta.peft_adapters import logits, peft_config, peft_model, save_adapter
from tests.similarity.conftest import source_of

PREFIX = "base_model.model."
CONFIG = {"peft_type": "LORA", "r": 1}


def _write(folder: Path, values: Dict[str, List[float]], method: str = "LORA", base: Optional[str] = "b") -> Path:
    tensors = {f"{PREFIX}{name}": torch.tensor(row) for name, row in values.items()}
    write_delta(folder, {"peft_type": method}, tensors, base)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return _write(
        tmp_path / "own",
        {
            "encoder.block.10.layer.0.A": [1.0, 0.0],
            "encoder.block.2.layer.0.A": [3.0, 4.0],
            "encoder.block.2.layer.1.A": [0.0, 2.0],
        },
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return _write(
        tmp_path / "source",
        {
            "encoder.block.10.layer.0.A": [-2.0, 0.0],
            "encoder.block.2.layer.0.A": [4.0, 3.0],
            "encoder.block.2.layer.1.A": [5.0, 0.0],
        },
    )


def _compare(measure: ParameterCosine, own: Path, source: Path) -> Any:
    target = TargetTask("target", [], own)
    return measure.compare(target, source_of(source), None, measure.reference(target, None))


def test_by_hand(own: Path, source: Path) -> None:
    """cos of (1, 0) and (-2, 0) is -1; of (3, 4) and (4, 3) 24/25; of (0, 2) and (5, 0) 0."""
    assert _compare(ParameterCosine(), own, source) == {"model": pytest.approx((-1 + 0.96 + 0) / 3)}
    blocks = _compare(ParameterCosine("block"), own, source)
    assert list(blocks) == ["encoder.block.2", "encoder.block.10"]
    assert list(blocks.values()) == pytest.approx([0.48, -1])
    layers = _compare(ParameterCosine("layer"), own, source)
    assert list(layers.values()) == pytest.approx([0.96, 0, -1])
    assert _compare(ParameterCosine(), own, own) == {"model": pytest.approx(1)}


def test_a_tensor_of_zeros_is_at_right_angles(tmp_path: Path) -> None:
    """As LoRA's B before training."""
    folders = [_write(tmp_path / name, {"B": [0.0, 0.0]}) for name in ("one", "other")]
    assert _compare(ParameterCosine(), *folders) == {"model": 0.0}


@pytest.mark.parametrize(
    "values, method, base, message",
    [
        ({"A": [1.0]}, "LORA", "b", r"A is \(2,\) and \(1,\)"),
        ({"B": [1.0, 2.0]}, "LORA", "b", r"A is \(2,\) and None"),
        ({"A": [1.0, 2.0]}, "IA3", "b", "`peft_type` is 'LORA' and 'IA3'"),
        ({"A": [1.0, 2.0]}, "LORA", "c", "`base_fingerprint` is b... and c..."),
    ],
)
def test_deltas_that_are_not_alike(values: Any, method: str, base: str, message: str, tmp_path: Path) -> None:
    one = _write(tmp_path / "one", {"A": [1.0, 2.0]})
    other = _write(tmp_path / "other", values, method, base)
    with pytest.raises(ConfigurationError, match=f"one and .*other cannot be compared: .*{message}"):
        _compare(ParameterCosine(), one, other)


def test_what_another_program_wrote_has_no_fingerprint(tmp_path: Path) -> None:
    one, other = _write(tmp_path / "one", {"A": [1.0]}), _write(tmp_path / "other", {"A": [1.0]}, base=None)
    assert _compare(ParameterCosine(), one, other) == {"model": pytest.approx(1)}


def test_a_parameter_outside_of_blocks(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", {"encoder.prompt_encoder.A": [1.0]})
    with pytest.raises(ConfigurationError, match="prompt_encoder.A is in no block of the model; use the"):
        _compare(ParameterCosine("block"), folder, folder)


def test_a_distance_by_hand(own: Path, source: Path, tmp_path: Path) -> None:
    """(-3, 0) is 3 long, (1, -1) sqrt(2), (5, -2) sqrt(29): norms are added, not squares."""
    (tmp_path / "tuned").mkdir()
    own.rename(tmp_path / "tuned" / "target,source")
    pattern, target = str(tmp_path / "tuned" / "{target},{source}"), TargetTask("target", [])
    measures = [Euclidean(pattern, granularity) for granularity in ("model", "block", "layer")]
    scores = [measure.compare(target, source_of(source), None, None) for measure in measures]
    assert scores[0] == {"model": pytest.approx(3 + 2**0.5 + 29**0.5)}
    assert scores[1] == pytest.approx({"encoder.block.2": 2**0.5 + 29**0.5, "encoder.block.10": 3})
    assert list(scores[2].values()) == pytest.approx([2**0.5, 29**0.5, 3])
    files = ["adapter_config.json", "adapter_model.safetensors"]
    assert [path.name for path in measures[0].pair_files("target", "source")] == files
    with pytest.raises(ConfigurationError, match="the target 'other' and the source 'source' there is no .*tuned/oth"):
        measures[0].pair_files("other", "source")


def test_a_source_tuned_in_another_way(own: Path, tmp_path: Path) -> None:
    _write(tmp_path / "target,own", {"A": [1.0]})
    with pytest.raises(ConfigurationError, match="own and .*target,own cannot be compared: .*0.A is"):
        Euclidean(str(tmp_path / "{target},{source}")).compare(TargetTask("target", []), source_of(own), None, None)


@pytest.mark.parametrize("method", ["PROMPT_TUNING", "PREFIX_TUNING"])
def test_parameters_that_no_model_reads(method: str, tmp_path: Path) -> None:
    """Two deltas that do the same are alike, whatever stands where PEFT for an encoder-decoder never looks."""
    config = peft_config("t5", method)
    save_adapter("t5", config, tmp_path / "one")
    one = read_delta(tmp_path / "one")
    [(name, values)] = one.tensors.items()
    other = values.clone()
    unread = other.view(3, 2, -1)[:, 1] if method == "PREFIX_TUNING" else other[3:]
    unread.copy_(torch.randn(unread.shape, generator=torch.Generator().manual_seed(5)))
    write_delta(tmp_path / "other", one.config, {name: other})
    models = [logits(peft_model("t5", tmp_path / folder), "t5") for folder in ("one", "other")]
    assert torch.equal(*models) and not torch.equal(values, other)
    assert _compare(ParameterCosine(), tmp_path / "one", tmp_path / "other") == {"model": pytest.approx(1)}
    write_delta(tmp_path / "other", one.config, {name: -values})
    assert _compare(ParameterCosine(), tmp_path / "one", tmp_path / "other") == {"model": pytest.approx(-1)}


def test_what_is_not_trained(tmp_path: Path) -> None:
    """Embeddings that PEFT keeps beside LoRA are the base model's; VeRA keeps matrices that all of them share."""
    for seed, name in enumerate(("one", "other")):
        save_adapter("llama", peft_config("llama", "LORA", target_modules=["q_proj"]), tmp_path / name, seed)
        delta = read_delta(tmp_path / name)
        copy = {"base_model.model.model.embed_tokens.weight": torch.ones(8, 4)}
        write_delta(tmp_path / f"{name}_and_copy", delta.config, {**delta.tensors, **copy})
    plain = _compare(ParameterCosine(), tmp_path / "one", tmp_path / "other")
    assert _compare(ParameterCosine(), tmp_path / "one_and_copy", tmp_path / "other_and_copy") == plain
    save_adapter("llama", peft_config("llama", "VERA"), tmp_path / "vera")
    with pytest.raises(ConfigurationError, match="what VERA trains is not known here, and cannot be compared"):
        _compare(ParameterCosine(), tmp_path / "vera", tmp_path / "vera")


def test_other_base_models(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder, base in zip(folders, ("google/t5-small", "google/t5-base")):
        write_delta(folder, {**CONFIG, "base_model_name_or_path": base}, {f"{PREFIX}A": torch.ones(2)})
    with pytest.raises(
        ConfigurationError, match="cannot be compared: `base_model_name_or_path` is 'google/t5-small' and"
    ):
        _compare(ParameterCosine(), *folders)
    write_delta(folders[1], {**CONFIG, "base_model_name_or_path": "mirror/t5-small"}, {f"{PREFIX}A": torch.ones(2)})
    assert _compare(ParameterCosine(), *folders) == {"model": pytest.approx(1)}
