import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from safetensors.torch import load_file, save_file

from attribution.ensembling import DeltaFolder, LinearMerger, TiesMerger, merge_deltas
from attribution.ensembling import merge_deltas as function
from attribution.ensembling.delta_folder import CONFIG, WEIGHTS
from tests.ensembling.conftest import LORA, lora_tensors, weights_of

MODULE = __import__(function.__module__, fromlist=["_PIECE"])
VALUES = np.array([[0.0, 0.25, 0.75], [0.5, 0.0, 0.5]])


def _folders(tmp_path: Path, count: int = 2) -> Any:
    folders = [tmp_path / "merged" / str(number) for number in range(count)]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


@pytest.mark.parametrize("piece", [1, 17, 1 << 22])
def test_the_same_file_as_the_library_writes_whatever_the_pieces(
    piece: int, write_delta: Callable[..., DeltaFolder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(MODULE, "_PIECE", piece)
    deltas = [write_delta(f"s{seed}", lora_tensors(seed)) for seed in range(3)]
    folders = _folders(tmp_path)
    merge_deltas(deltas, weights_of(VALUES), LinearMerger(), folders)
    for folder, row in zip(folders, VALUES):
        wanted = {
            name: sum(weight * lora_tensors(seed)[name] for seed, weight in enumerate(row)) for name in lora_tensors(0)
        }
        merged = load_file(folder / WEIGHTS)
        torch.testing.assert_close(merged, wanted)
        save_file(merged, tmp_path / "library", metadata={"format": "pt"})
        assert (folder / WEIGHTS).read_bytes() == (tmp_path / "library").read_bytes()
        assert json.loads((folder / CONFIG).read_text()) == LORA


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_bytes_from_one_worker_and_from_three(
    workers: int, write_delta: Callable[..., DeltaFolder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    deltas = [write_delta(f"s{seed}", lora_tensors(seed, out=90, inner=70)) for seed in range(3)]
    merge_deltas(deltas, weights_of(VALUES), TiesMerger(0.5), _folders(tmp_path))
    before = [(folder / WEIGHTS).read_bytes() for folder in _folders(tmp_path)]
    monkeypatch.setattr(MODULE.os, "cpu_count", lambda: workers)
    threads = torch.get_num_threads()
    merge_deltas(deltas, weights_of(VALUES), TiesMerger(0.5), _folders(tmp_path))
    assert [(folder / WEIGHTS).read_bytes() for folder in _folders(tmp_path)] == before
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("merger", [LinearMerger(), TiesMerger(1.0)])
def test_other_precisions_and_shapes(
    dtype: torch.dtype, merger: Any, write_delta: Callable[..., DeltaFolder], tmp_path: Path
) -> None:
    """Half precision is summed in single: 2048 + 1 + 1 is 2048 in float16."""
    tensors = [
        {"q.lora_A": torch.tensor([2048.0, value], dtype=dtype), "q.lora_B": torch.tensor(value, dtype=dtype)}
        for value in (1.0, 4.0)
    ]
    deltas = [write_delta(f"s{number}", content) for number, content in enumerate(tensors)]
    merge_deltas(deltas, weights_of([[0.25, 0.75]]), merger, _folders(tmp_path, 1))
    merged = load_file(_folders(tmp_path, 1)[0] / WEIGHTS)
    assert (
        merged["q.lora_A"].dtype == dtype
        and merged["q.lora_A"].tolist() == [2048.0, 3.25]
        and merged["q.lora_B"].item() == 3.25
    )


def test_each_target_has_a_delta_of_all_tensors_and_a_rerun_appends_nothing(
    write_delta: Callable[..., DeltaFolder], tmp_path: Path
) -> None:
    deltas = [write_delta(f"s{seed}", lora_tensors(seed)) for seed in range(3)]
    sizes = []
    for _ in range(2):
        merge_deltas(deltas, weights_of(VALUES), LinearMerger(), _folders(tmp_path))
        sizes.append([(folder / WEIGHTS).stat().st_size for folder in _folders(tmp_path)])
    assert sizes[0] == sizes[1] == [deltas[0].files[1].stat().st_size] * 2


@pytest.mark.parametrize("merger", [LinearMerger(), TiesMerger()])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_source_with_values_that_are_no_numbers(
    value: float, merger: Any, write_delta: Callable[..., DeltaFolder], tmp_path: Path
) -> None:
    tensors = lora_tensors(1)
    name = sorted(tensors)[3]
    tensors[name][1, 0] = value
    deltas = [write_delta("good", lora_tensors(0)), write_delta("bad", tensors), write_delta("fine", lora_tensors(2))]
    with pytest.raises(ConfigurationError, match="bad/adapter_model.safetensors: the tensor .* not numbers") as error:
        merge_deltas(deltas, weights_of(VALUES), merger, _folders(tmp_path))
    assert name in str(error.value)


def test_finite_values_whose_sum_is_not(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> None:
    deltas = [write_delta(f"s{number}", {"a": torch.full((4,), 3e38)}) for number in range(3)]
    merge_deltas(deltas, weights_of([[0.5, 0.25, 0.25]]), LinearMerger(), _folders(tmp_path, 1))
    torch.testing.assert_close(load_file(_folders(tmp_path, 1)[0] / WEIGHTS)["a"], torch.full((4,), 3e38))


def test_more_files_than_may_be_open(
    write_delta: Callable[..., DeltaFolder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(MODULE.resource, "getrlimit", lambda limit: (65, 100))
    with pytest.raises(ConfigurationError, match="2 files are open at once, and 65 may be: raise `ulimit -n`"):
        merge_deltas([write_delta("a", lora_tensors(0))], weights_of([[1.0]]), LinearMerger(), _folders(tmp_path, 1))


def test_whole_numbers_have_no_mean(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> None:
    deltas = [write_delta("s0", {"steps": torch.tensor([3])})]
    with pytest.raises(ConfigurationError, match="the tensor steps is of I64; no mean can be taken"):
        merge_deltas(deltas, weights_of([[1.0]]), LinearMerger(), _folders(tmp_path, 1))
