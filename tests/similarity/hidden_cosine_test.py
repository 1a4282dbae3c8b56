from typing import Any, Callable, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.similarity import HiddenCosine
from tests.similarity.conftest import EXAMPLES, resident, slow_runs, task

FIRST_BLOCKS = {
    "t5": ["encoder.block.0", "decoder.block.0"],
    "bart": ["model.encoder.layers.0", "model.decoder.layers.0"],
    "llama": ["model.layers.0"],
    "gpt2": ["transformer.h.0"],
}


@pytest.mark.parametrize("model", FIRST_BLOCKS)
@pytest.mark.parametrize("delta", [{"type": "lora", "r": 2}, {"type": "houlsby", "size": 3}], ids=lambda d: d["type"])
def test_as_one_by_one(model: str, delta: Any, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    """`transformers` gives the states before each block, and the last ones after the final norm."""
    base = tiny_model(model)
    own, source = save_delta("own", 1, model, delta), save_delta("source", 2, model, delta)
    loaded = resident(base, own, model)
    with torch.no_grad():
        of_own = slow_runs(loaded, base)
        loaded.put(source)
        of_source = slow_runs(loaded, base)
    for batch_size in (1, 3):
        target = task(base, batch_size, own)
        scores = HiddenCosine().compare(target, source, loaded, HiddenCosine().reference(target, loaded))
        assert len(scores) == 2 * len(FIRST_BLOCKS[model])
        for number, block in enumerate(FIRST_BLOCKS[model]):
            wanted = 0.0
            for one, other in zip(of_own, of_source):
                a, b = (run["hidden"][number][1].flatten().double() for run in (one, other))
                wanted += float(a @ b / (a.norm() * b.norm()))
            assert scores[block] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("delta", [{"type": "lora", "r": 2}, {"type": "prompt", "num_virtual_tokens": 3}])
def test_the_same_delta_is_closest(delta: Any, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    own, source = save_delta("own", 1, "t5", delta), save_delta("source", 2, "t5", delta)
    loaded, target = resident(tiny_model("t5"), own), task(tiny_model("t5"), 3, own)
    scores: List[Any] = []
    for measure in (HiddenCosine(), HiddenCosine("model"), HiddenCosine("model", "mean")):
        reference = measure.reference(target, loaded)
        scores += [measure.compare(target, folder, loaded, reference) for folder in (own, source)]
    assert list(scores[0].values()) == pytest.approx([len(EXAMPLES)] * 4)
    assert scores[2]["model"] == pytest.approx(len(EXAMPLES)) and scores[4]["model"] == pytest.approx(1)
    assert scores[3]["model"] == pytest.approx(sum(scores[1].values()) / 4)
    assert scores[5]["model"] == pytest.approx(scores[3]["model"] / len(EXAMPLES))
    assert scores[5]["model"] < 0.999


def test_it_has_blocks_only() -> None:
    with pytest.raises(ConfigurationError, match="measure.granularity: 'layer' is none of model, block"):
        HiddenCosine("layer")
