from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from peft import IA3Config, get_peft_model
from peft.utils.merge_utils import task_arithmetic
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from attribution.common.safetensors_file import TensorType
from attribution.ensembling import DeltaFolder, DeltaMerger, EnsembleWeights, merge_deltas
from attribution.ensembling.delta_folder import WEIGHTS, DeltaLayout
from attribution.ensembling.delta_merger import LinearMerger, PerBlockMerger
from tests.ensembling.conftest import BLOCKS, lora_tensors, weights_of

MERGERS: List[Dict[str, Any]] = [
    {"type": "linear"},
    {"type": "ties", "density": 0.5},
    {"type": "product_space"},
    {"type": "product_space", "rank": 5},
]


@pytest.fixture
def merge(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> Callable[..., List[Dict[str, torch.Tensor]]]:
    """(merger, weights, number of sources) -> the merged tensors of each target."""

    def run(merger: DeltaMerger, weights: EnsembleWeights, deltas: Any = None) -> List[Dict[str, torch.Tensor]]:
        deltas = deltas or [write_delta(name, lora_tensors(seed)) for seed, name in enumerate(weights.sources)]
        folders = [tmp_path / "merged" / target for target in weights.targets]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        merge_deltas(deltas, weights, merger, folders)
        return [load_file(folder / WEIGHTS) for folder in folders]

    return run


@pytest.mark.parametrize("config", MERGERS, ids=lambda config: "-".join(map(str, config.values())))
def test_every_merger_merges_each_target_by_itself_and_keeps_a_single_source(config: Any, merge: Any) -> None:
    merger = DeltaMerger.from_params(Params(dict(config)))
    values = np.array([[0.0, 0.3, 0.7], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
    together = merge(merger, weights_of(values))
    for number in range(3):
        alone = merge(merger, weights_of(values[[number]]))[0]
        for name, tensor in alone.items():
            torch.testing.assert_close(together[number][name], tensor)
    if config["type"] != "ties":  # Which makes it sparse.
        source = lora_tensors(1)
        for block in BLOCKS:
            name = f"base_model.model.{block}.layer.0.SelfAttention.q.lora_"
            product = together[2][f"{name}B.weight"] @ together[2][f"{name}A.weight"]
            torch.testing.assert_close(product, source[f"{name}B.weight"] @ source[f"{name}A.weight"])


def test_linear_is_the_libraries_task_arithmetic(merge: Any) -> None:
    values = np.array([[0.0, 0.3, 0.7], [0.2, 0.0, 0.8]])
    for number, merged in enumerate(merge(LinearMerger(), weights_of(values))):
        for name, tensor in merged.items():
            theirs = task_arithmetic([lora_tensors(seed)[name] for seed in range(3)], torch.tensor(values[number]))
            torch.testing.assert_close(tensor, theirs.float())


def test_linear_is_what_peft_does_with_ia3(tiny_model: Callable[[str], str], merge: Any, tmp_path: Path) -> None:
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5"))
    model = get_peft_model(base, IA3Config(target_modules=["k", "wo"], feedforward_modules=["wo"]), "s0")
    model.add_adapter("s1", model.peft_config["s0"])
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "ia3_l" in name:
                parameter.copy_(torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "peft")
    model.add_weighted_adapter(["s0", "s1"], [0.25, 0.75], "both")
    model.save_pretrained(tmp_path / "peft", selected_adapters=["both"])
    deltas = [DeltaFolder(tmp_path / "peft" / name) for name in ("s0", "s1")]
    [merged] = merge(LinearMerger(), weights_of([[0.25, 0.75]]), deltas)
    theirs = load_file(tmp_path / "peft" / "both" / WEIGHTS)
    assert merged.keys() == theirs.keys() and merged
    for name, tensor in theirs.items():
        torch.testing.assert_close(merged[name], tensor)


def test_each_block_has_its_own_weights(merge: Any) -> None:
    values = np.zeros((1, 2, 3))
    values[0, :, 0], values[0, :, 1], values[0, :, 2] = (1, 0), (0, 1), (0.5, 0.5)
    parts = ["encoder.block.0", "encoder.block.1", "decoder.block.0"]
    [merged] = merge(PerBlockMerger(), weights_of(values, parts))
    first, second = lora_tensors(0), lora_tensors(1)
    for block, weights in zip(BLOCKS, [(1, 0), (0, 1), (0.5, 0.5), (0.5, 0.5)]):  # The last is in no part: the mean.
        for factor in "AB":
            name = f"base_model.model.{block}.layer.0.SelfAttention.q.lora_{factor}.weight"
            torch.testing.assert_close(merged[name], weights[0] * first[name] + weights[1] * second[name])


def test_the_innermost_part_counts_and_names_end_at_dots() -> None:
    names = ["m.encoder.block.1.layer.0.lora_A", "m.encoder.block.11.lora_A"]
    layout = DeltaLayout({"peft_type": "LORA"}, dict.fromkeys(names, TensorType("F32", (2, 2))), {})
    values = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    steps = PerBlockMerger().steps(layout, weights_of(values, ["encoder.block.1", "encoder.block.1.layer.0"]))
    assert [step.weights.tolist() for step in steps] == [[[1.0], [0.0]], [[0.5], [0.5]]]


def test_parts_that_do_not_fit(merge: Any) -> None:
    with pytest.raises(ConfigurationError, match="per_block: the scores are one for the whole model; use linear"):
        merge(PerBlockMerger(), weights_of([[0.5, 0.5]]))
    with pytest.raises(ConfigurationError, match=r"no tensor is in one of the 1 parts \(model.layers.0, ...\)"):
        merge(PerBlockMerger(), weights_of(np.full((1, 2, 1), 0.5), ["model.layers.0"]))
    with pytest.raises(ConfigurationError, match="use the merger per_block"):
        merge(LinearMerger(), weights_of(np.full((1, 2, 1), 0.5), ["encoder.block.0"]))
