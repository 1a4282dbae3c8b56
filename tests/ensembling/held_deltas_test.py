from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file

from attribution.ensembling import (
    DeltaFolder,
    DeltaMerger,
    HeldDeltas,
    LinearMerger,
    PerBlockMerger,
    ProductSpaceMerger,
    TiesMerger,
    merge_deltas,
)
from attribution.ensembling.delta_folder import WEIGHTS
from tests.ensembling.conftest import lora_tensors, weights_of

SIGNED = np.array([0.5, -0.7, 1.1])


@pytest.mark.parametrize(
    "merger, weights",
    [(LinearMerger(), SIGNED), (ProductSpaceMerger(), SIGNED), (TiesMerger(0.5), np.array([0.5, 0.2, 0.3]))],
    ids=lambda value: type(value).__name__,
)
def test_what_is_held_is_merged_as_what_is_written(
    merger: DeltaMerger, weights: np.ndarray, write_delta: Callable[..., DeltaFolder], tmp_path: Path
) -> None:
    sources = [write_delta(name, lora_tensors(seed)) for seed, name in enumerate("abc")]
    merge_deltas(sources, weights_of([weights]), merger, [tmp_path])
    written = load_file(tmp_path / WEIGHTS)
    torch.testing.assert_close(HeldDeltas(sources, merger).merged(weights), written)


def test_pickles_are_held_where_they_are_asked_for(write_delta: Callable[..., DeltaFolder]) -> None:
    sources = [write_delta(name, lora_tensors(seed)) for seed, name in enumerate("ab")]
    wanted = HeldDeltas(sources, LinearMerger()).merged(SIGNED[:2])
    torch.save(load_file(sources[1].path / WEIGHTS), sources[1].path / "adapter_model.bin")
    (sources[1].path / WEIGHTS).unlink()
    pickled = [sources[0], DeltaFolder(sources[1].path, allow_pickle=True)]
    torch.testing.assert_close(HeldDeltas(pickled, LinearMerger()).merged(SIGNED[:2]), wanted)


def test_of_ia3_the_distances_from_one_are_added(write_delta: Callable[..., DeltaFolder]) -> None:
    config = {"peft_type": "IA3", "target_modules": ["k"]}
    scales = (torch.tensor([1.5, 1.0]), torch.tensor([0.5, 2.0]))
    held = HeldDeltas(
        [write_delta(str(n), {"k.ia3_l": scale}, **config) for n, scale in enumerate(scales)], LinearMerger()
    )
    for weights, wanted in (
        ([0.0, 0.0], [1.0, 1.0]),
        ([2.0, 0.0], [2.0, 1.0]),
        ([1.0, -0.5], [1.75, 0.5]),
        ([0.5, 0.5], [1.0, 1.5]),
    ):
        torch.testing.assert_close(held.merged(np.array(weights))["k.ia3_l"], torch.tensor(wanted))


@pytest.mark.parametrize("config", [{"peft_type": "BIAS"}, {"peft_type": "LORA", "bias": "all"}, {"peft_type": "NONE"}])
def test_weights_of_the_base_model_are_not_scaled(config: Any, write_delta: Callable[..., DeltaFolder]) -> None:
    sources = [write_delta(name, {"bias": torch.ones(2)}, **config) for name in "ab"]
    held = HeldDeltas(sources, LinearMerger())
    torch.testing.assert_close(held.merged(np.array([0.25, 0.75]))["bias"], torch.ones(2))
    with pytest.raises(ConfigurationError, match=f"{config['peft_type']} hold weights of the base model"):
        held.merged(np.zeros(2))


def test_what_cannot_be_tried(write_delta: Callable[..., DeltaFolder]) -> None:
    sources = [write_delta(name, lora_tensors(seed)) for seed, name in enumerate("abc")]
    with pytest.raises(ConfigurationError, match="no merge of another rank than the sources'"):
        HeldDeltas(sources, ProductSpaceMerger(rank=5))
    with pytest.raises(ConfigurationError, match="ties: a mean needs weights that are not negative"):
        HeldDeltas(sources, TiesMerger()).merged(SIGNED)
    with pytest.raises(ConfigurationError, match="per_block: the scores are one for the whole model"):
        HeldDeltas(sources, PerBlockMerger()).merged(SIGNED)
    tensors = lora_tensors(3)
    next(iter(tensors.values()))[0] = torch.nan
    with pytest.raises(ConfigurationError, match="d/adapter_model.safetensors: the tensor .* not numbers"):
        HeldDeltas([*sources, write_delta("d", tensors)], LinearMerger())
