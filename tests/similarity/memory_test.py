"""What a measure leaves in memory: reference counting alone, without the garbage collector, frees a batch's graph."""

import gc
from typing import Any, Callable, Iterator, List

import numpy as np
import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.models import Model

from attribution.mining.tuned_copy import TunedCopy
from attribution.modules.delta import Lora
from attribution.similarity import TaskSimilarity, per_example_gradients
from attribution.similarity.per_example_gradients import gradient_norms
from attribution.similarity.per_example_gradients import per_example_gradients as per_example_gradients_of
from tests.modules.delta.slow_t5 import needs_transformers_5
from tests.similarity.conftest import LORA, resident, source_of, task

DELTAS = [
    LORA,
    {"type": "houlsby", "size": 3, "bias": True},
    {"type": "parallel", "size": 3},
    {"type": "ia3"},
    {"type": "none"},
    {"type": "prompt", "num_virtual_tokens": 3},
    pytest.param({"type": "prefix", "num_virtual_tokens": 3, "hidden_size": 4}, marks=needs_transformers_5),
]
MEASURES = ["el2n", "grand", "grand_per_example", "hidden_cosine", "kl", "logit_label_cosine", "loss"]


@pytest.fixture(autouse=True)
def no_garbage_collector() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # Older objects need not be looked through.
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def _live_bytes() -> int:
    storages = {}
    for found in gc.get_objects():  # Without a collection: what only a cycle keeps is among them.
        if issubclass(type(found), torch.Tensor):
            storages[found.untyped_storage().data_ptr()] = found.untyped_storage().nbytes()
    return sum(storages.values())


def _after_each(work: Callable[[], Any], times: int = 4) -> List[int]:
    """The first time makes what is kept on purpose."""
    live = []
    for _ in range(times):
        work()
        live.append(_live_bytes())
    return live[1:]


def test_a_cycle_would_be_seen() -> None:
    def work() -> None:
        kept: List[Any] = [torch.ones(1000)]
        kept.append(kept)

    first, *_, last = _after_each(work)
    assert last - first == 2 * 4000


@pytest.mark.parametrize("delta", DELTAS)
def test_gradients_of_a_batch_are_gone_after_it(delta: Any, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    model = "t5" if delta["type"] == "prefix" else "gpt2"
    loaded = resident(tiny_model(model), save_delta("source", 3, model, delta), model)
    [batch] = task(tiny_model(model), 4).batches
    live = _after_each(lambda: gradient_norms(loaded, batch, lambda name: "all"))
    assert len(set(live)) == 1


def test_nor_is_anything_left_of_a_batch_that_it_gives_up(
    save_delta: Any, tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a layer at last reads other shapes than it knows, others have been recorded."""
    loaded = resident(tiny_model("gpt2"), save_delta("source", 3, "gpt2"), "gpt2")
    [batch] = task(tiny_model("gpt2"), 4).batches
    monkeypatch.setattr(per_example_gradients._Recorder, "gradients", None)  # It does not come so far.
    monkeypatch.setattr(
        per_example_gradients._Recorder, "is_puzzled", property(lambda _: True, lambda *_: None), raising=False
    )
    found: List[int] = []
    live = _after_each(lambda: found.append(sum(1 for _ in per_example_gradients_of(loaded, batch))))
    assert len(set(live)) == 1 and found == [4] * 4  # One by one.


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_keeps_nothing_between_batches(name: str, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    model = "gpt2"
    measure = TaskSimilarity.from_params(Params({"type": name}))
    own, source = save_delta("own", 1, model), save_delta("source", 2, model)
    loaded, target = resident(tiny_model(model), own, model), task(tiny_model(model), 2, own)
    loaded.put(source)  # Deltas are kept on purpose.
    live = _after_each(lambda: measure.compare(target, source_of(source), loaded, measure.reference(target, loaded)))
    assert len(set(live)) == 1


def test_every_measure_that_runs_a_model_is_here() -> None:
    names = TaskSimilarity.list_available()
    assert sorted(name for name in names if TaskSimilarity.by_name(name).needs_examples) == MEASURES


def test_tuning_a_copy_again_keeps_nothing_more(tiny_model: Callable[[str], str]) -> None:
    model = Lazy(Model, Params({"type": "causal_lm", "model_name": tiny_model("gpt2")}))
    copy = TunedCopy(model, Lora(), 0.01, 2, 1, 1, 1.0)
    examples = copy.examples([["the cat sat", "yes"], ["good movie ?", "no"], ["one two", "three"]], (16, 8))
    held_out = copy.batches(examples)

    def work() -> None:
        copy.tune(examples, np.random.default_rng(0))
        copy.loss(held_out)

    assert len(set(_after_each(work))) == 1
