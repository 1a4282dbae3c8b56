from functools import partial
from typing import Any, Callable, List

import pytest
import torch
import torch.nn.functional as F

from attribution.similarity import per_example_gradients
from attribution.similarity.parts import part_of
from attribution.similarity.per_example_gradients import gradient_norms
from tests.modules.delta.slow_t5 import needs_transformers_5
from tests.similarity.conftest import EXAMPLES, instances, resident, slow_runs, task

LINEAR = [{"type": "lora", "r": 2}, {"type": "houlsby", "size": 3, "bias": True, "initialisation": "normal"}]
SCALES = [{"type": "ia3"}, {"type": "prompt", "num_virtual_tokens": 3}]
PREFIXES = [
    {"type": "prefix", "num_virtual_tokens": 3},
    {"type": "prefix", "num_virtual_tokens": 3, "hidden_size": 4},
    {"type": "prefix", "num_virtual_tokens": 3, "hidden_size": 4, "legacy_layout": True},
    {"type": "mix_and_match", "num_virtual_tokens": 3, "hidden_size": 4, "size": 3},
]
DELTAS = [*LINEAR, *SCALES, *(pytest.param(delta, marks=needs_transformers_5) for delta in PREFIXES)]


@pytest.mark.parametrize("model", ["t5", "bart", "llama", "gpt2"])
@pytest.mark.parametrize("delta", DELTAS)
def test_as_one_by_one(delta: Any, model: str, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    base = tiny_model(model)
    loaded = resident(base, save_delta("source", 3, model, delta), model)
    wanted = []
    for run in slow_runs(loaded, base):
        gradients = torch.autograd.grad(
            F.cross_entropy(run["logits"], run["labels"]), list(loaded.tensors().values()), allow_unused=True
        )
        wanted.append(sum(gradient.square().sum() for gradient in gradients if gradient is not None).sqrt().item())
    found: List[float] = []
    for batch in task(base).batches:
        found += gradient_norms(loaded, batch, lambda name: "all")["all"].tolist()
    lengths = [len(instance["prompt_and_input"]) for instance in instances(base)]  # type: ignore[arg-type]
    order = sorted(range(len(EXAMPLES)), key=lengths.__getitem__, reverse=True)
    assert found == pytest.approx([wanted[number] for number in order], rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("delta", DELTAS)
def test_one_pass_for_the_batch(
    delta: Any, save_delta: Any, tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(per_example_gradients, "_of_one", None)
    loaded = resident(tiny_model("t5"), save_delta("source", 3, "t5", delta))
    [batch] = task(tiny_model("t5"), 4).batches
    assert gradient_norms(loaded, batch, lambda name: "all")["all"].gt(0).all()


def test_biases_one_by_one(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    """Those of norms are among them."""
    base = tiny_model("bart")
    loaded = resident(base, save_delta("source", 3, "bart", {"type": "bias"}), "bart")
    [batch] = task(base, 4).batches
    wanted = [gradient_norms(loaded, batch.example(number), lambda name: "all")["all"] for number in range(4)]
    torch.testing.assert_close(gradient_norms(loaded, batch, lambda name: "all")["all"], torch.cat(wanted))


def test_parts_add_up(save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    loaded = resident(tiny_model("t5"), save_delta("source", 3))
    [batch] = task(tiny_model("t5"), 4).batches
    whole = gradient_norms(loaded, batch, lambda name: "all")["all"]
    for granularity, count in (("block", 4), ("layer", 6)):
        parts = gradient_norms(loaded, batch, partial(part_of, granularity=granularity))
        assert len(parts) == count
        squares = sum(norms.square() for norms in parts.values())
        torch.testing.assert_close(squares, whole.square())
