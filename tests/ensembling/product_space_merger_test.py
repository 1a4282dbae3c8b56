import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from allennlp.common.checks import ConfigurationError
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM

from attribution.ensembling import DeltaFolder, LinearMerger, ProductSpaceMerger, merge_deltas
from attribution.ensembling.delta_folder import CONFIG, WEIGHTS
from tests.ensembling.conftest import lora_tensors, weights_of

NAME = "base_model.model.encoder.block.1.layer.0.SelfAttention.q.lora_{}.weight"
VALUES = np.array([[0.0, 0.3, 0.7], [0.6, 0.0, 0.4]])


def _product(tensors: Dict[str, torch.Tensor]) -> torch.Tensor:
    return tensors[NAME.format("B")] @ tensors[NAME.format("A")]


@pytest.fixture
def merge(write_delta: Callable[..., DeltaFolder], tmp_path: Path) -> Callable[..., List[Path]]:
    def run(merger: Any, values: np.ndarray = VALUES, **config: Any) -> List[Path]:
        deltas = [write_delta(f"s{seed}", lora_tensors(seed), **config) for seed in range(values.shape[1])]
        folders = [tmp_path / "merged" / str(number) for number in range(len(values))]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        merge_deltas(deltas, weights_of(values), merger, folders)
        return folders

    return run


def test_products_are_averaged_and_not_factors(merge: Any) -> None:
    """The published scripts average A and B one by one: mean(B) mean(A) is another matrix than mean(B A)."""
    wanted = [sum(weight * _product(lora_tensors(seed)) for seed, weight in enumerate(row)) for row in VALUES]
    for folder, product in zip(merge(ProductSpaceMerger(rank=5)), wanted):
        torch.testing.assert_close(_product(load_file(folder / WEIGHTS)), product)
    for folder, product in zip(merge(ProductSpaceMerger()), wanted):
        left, values, right = torch.linalg.svd(product)
        best = left[:, :2] * values[:2] @ right[:2]
        torch.testing.assert_close(_product(load_file(folder / WEIGHTS)), best)
    factors = _product(load_file(merge(LinearMerger())[0] / WEIGHTS))
    assert (factors - wanted[0]).norm() > 2 * (best - wanted[1]).norm()


def test_the_rank_changes_and_the_scale_stays(merge: Any) -> None:
    for changes, alpha in (({}, 12), ({"lora_alpha": 1}, 3), ({"use_rslora": True}, 4 * 3**0.5)):
        folder = merge(ProductSpaceMerger(rank=6), **changes)[0]
        config = json.loads((folder / CONFIG).read_text())
        assert config["r"] == 6 and config["lora_alpha"] == pytest.approx(alpha)
        merged = load_file(folder / WEIGHTS)
        assert merged[NAME.format("A")].shape == (6, 5) and merged[NAME.format("B")].shape == (6, 6)
        assert not merged[NAME.format("A")][5].any()  # The product has at most rank 5.
    assert merge(ProductSpaceMerger())[0].joinpath(CONFIG).read_text().count('"r": 2') == 1


@pytest.mark.parametrize("rank", [None, 4])
def test_it_is_what_peft_does_by_svd(
    rank: Any, tiny_model: Callable[[str], str], write_delta: Callable[..., DeltaFolder], tmp_path: Path
) -> None:
    """On a real model, and PEFT loads the result."""
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5"))
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["q", "v", "shared"], init_lora_weights=False)
    torch.manual_seed(5)
    model = get_peft_model(base, config, "s0")
    for name in ("s1", "s2"):
        model.add_adapter(name, config)
    model.save_pretrained(tmp_path / "peft")
    weights = [0.2, 0.3, 0.5]
    model.add_weighted_adapter(["s0", "s1", "s2"], weights, "svd", "svd", svd_rank=rank)
    merged = tmp_path / "merged"
    merged.mkdir()
    deltas = [DeltaFolder(tmp_path / "peft" / name) for name in ("s0", "s1", "s2")]
    merge_deltas(deltas, weights_of([weights]), ProductSpaceMerger(rank), [merged])
    ours = PeftModel.from_pretrained(AutoModelForSeq2SeqLM.from_pretrained(tiny_model("t5")), merged)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        model.set_adapter("s0")
        single = model(input_ids=ids, decoder_input_ids=ids).logits
        model.set_adapter("svd")
        theirs = model.eval()(input_ids=ids, decoder_input_ids=ids).logits
        torch.testing.assert_close(ours(input_ids=ids, decoder_input_ids=ids).logits, theirs, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(single, theirs, atol=1e-2)


def test_mistakes(merge: Any, write_delta: Callable[..., DeltaFolder]) -> None:
    with pytest.raises(ConfigurationError, match="rank is 0"):
        ProductSpaceMerger(0)
    for changes, message in (
        ({"peft_type": "IA3"}, "deltas/s0: it merges products B A of LoRA, and these deltas are IA3; use linear"),
        ({"use_dora": True}, "these deltas are LoRA with `use_dora`; use linear"),
        ({"init_lora_weights": "pissa_niter_4"}, "s0: LoRA that starts by 'pissa_niter_4' .*path_initial_model_for"),
        ({"alora_invocation_tokens": [1]}, "s0: LoRA with `alora_invocation_tokens` is not known here"),
        ({"lora_alpha": 0}, "s0: the rank of .*SelfAttention.q is 2, its alpha 0; a rank from 1 on"),
        ({"r": "2"}, "s0/adapter_config.json: `r` is '2'; a whole number is needed"),
        ({"a_setting_to_come": 3}, "s0: .*this version of PEFT does not know `a_setting_to_come`"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            merge(ProductSpaceMerger(), **changes)
    with pytest.raises(ConfigurationError, match="leave `rank` out"):
        merge(ProductSpaceMerger(4), rank_pattern={"q": 2})
    tensors = lora_tensors(0)
    del tensors[NAME.format("B")]
    with pytest.raises(ConfigurationError, match="lora_A.weight has no matching matrix"):
        merge_deltas([write_delta("a", tensors)], weights_of([[1.0]]), ProductSpaceMerger(), [])
    with pytest.raises(ConfigurationError, match="it has no factors"):
        merge_deltas([write_delta("a", {"x": torch.ones(1)})], weights_of([[1.0]]), ProductSpaceMerger(), [])
