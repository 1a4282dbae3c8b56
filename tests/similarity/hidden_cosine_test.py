from typing import Any, Callable, Dict, List

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from attribution.modules.delta.sublayers import stacks
from attribution.similarity import HiddenCosine
from attribution.similarity.hidden_cosine import _blocks
from tests.similarity.conftest import EXAMPLES, resident, slow_runs, source_of, task

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
        scores = HiddenCosine().compare(target, source_of(source), loaded, HiddenCosine().reference(target, loaded))
        assert len(scores) == 2 * len(FIRST_BLOCKS[model])
        for number, block in enumerate(FIRST_BLOCKS[model]):
            wanted = 0.0
            for one, other in zip(of_own, of_source):
                a, b = (run["hidden"][number][1].flatten().double() for run in (one, other))
                wanted += float(a @ b / (a.norm() * b.norm()))
            assert scores[block] == pytest.approx(wanted, rel=1e-5)


def test_halves_of_different_depths(tiny_model: Callable[[str], str]) -> None:
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny_model("bart"), decoder_layers=1)
    names = [[name for name, _ in _blocks(model, stack)] for stack in stacks(model)]
    assert names == [["model.encoder.layers.0", "model.encoder.layers.1"], ["model.decoder.layers.0"]]


@pytest.mark.parametrize("delta", [{"type": "lora", "r": 2}, {"type": "prompt", "num_virtual_tokens": 3}])
def test_the_same_delta_is_closest(delta: Any, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    own, source = save_delta("own", 1, "t5", delta), save_delta("source", 2, "t5", delta)
    loaded, target = resident(tiny_model("t5"), own), task(tiny_model("t5"), 3, own)
    scores: List[Any] = []
    for measure in (HiddenCosine(), HiddenCosine("model"), HiddenCosine("model", "mean")):
        reference = measure.reference(target, loaded)
        scores += [measure.compare(target, source_of(folder), loaded, reference) for folder in (own, source)]
    assert list(scores[0].values()) == pytest.approx([len(EXAMPLES)] * 4)
    assert scores[2]["model"] == pytest.approx(len(EXAMPLES)) and scores[4]["model"] == pytest.approx(1)
    assert scores[3]["model"] == pytest.approx(sum(scores[1].values()) / 4)
    assert scores[5]["model"] == pytest.approx(scores[3]["model"] / len(EXAMPLES))
    assert scores[5]["model"] < 0.999


SUBLAYERS = {
    "t5": {
        "encoder.block.0.layer.0": "SelfAttention.o",
        "encoder.block.1.layer.1": "DenseReluDense.wo",
        "decoder.block.0.layer.1": "EncDecAttention.o",
        "decoder.block.1.layer.2": "DenseReluDense.wo",
    },
    "bart": {
        "model.encoder.layers.1.fc2": "",
        "model.decoder.layers.0.self_attn": "out_proj",
        "model.decoder.layers.1.encoder_attn": "out_proj",
    },
    "llama": {"model.layers.0.self_attn": "o_proj", "model.layers.1.mlp": "down_proj"},
    "gpt2": {"transformer.h.0.attn": "c_proj", "transformer.h.1.mlp": "c_proj"},
    "bert2bert": {"decoder.bert.encoder.layer.1.crossattention": "output.dense"},
}
COUNTS = {"t5": 10, "bart": 10, "llama": 4, "gpt2": 4, "bert2bert": 10}


@pytest.mark.parametrize("model", SUBLAYERS)
def test_sublayers_as_one_by_one(model: str, save_delta: Any, tiny_model: Callable[[str], str]) -> None:
    base, delta = tiny_model(model), {"type": "houlsby", "size": 3}
    own, source = save_delta("own", 1, model, delta), save_delta("source", 2, model, delta)
    loaded = resident(base, own, model)
    outputs: Dict[str, List[torch.Tensor]] = {part: [] for part in SUBLAYERS[model]}
    for part, last in SUBLAYERS[model].items():
        layer = loaded.transformer.get_submodule(f"{part}.{last}".rstrip("."))
        layer.register_forward_hook(lambda _module, _read, output, part=part: outputs[part].append(output.flatten()))
    with torch.no_grad():
        for folder in (own, source):
            loaded.put(folder)
            slow_runs(loaded, base)
    wanted = {
        part: sum(float(a @ b / a.norm() / b.norm()) for a, b in zip(states, states[len(EXAMPLES) :]))
        for part, states in outputs.items()
    }
    target, measure = task(base, 3, own), HiddenCosine("layer")
    scores = measure.compare(target, source_of(source), loaded, measure.reference(target, loaded))
    assert len(scores) == COUNTS[model]
    assert {part: scores[part] for part in wanted} == pytest.approx(wanted, rel=1e-4)
