"""Deltas on tiny models, and a target's examples."""

from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common import Lazy, Params
from allennlp.data import Instance
from allennlp.models import Model

from attribution.data.dataset_readers import P3JsonlReader
from attribution.similarity import ResidentModel, Source, TargetTask, labelled_batches
from tests.models.conftest import make_model

# The right answers are of one to three tokens, the prompts of two to eight.
EXAMPLES = [
    ("the cat sat on the mat", ["yes", "not maybe"], 1),
    ("good movie ?", ["green"], 0),
    ("a bad film , was it ?", ["good", "blue cat and"], 1),
    ("it was", ["one two"], 0),
]
LORA = {"type": "lora", "r": 2}


def kind_of(model: str) -> str:
    return "causal_lm" if model in ("llama", "gpt2") else "seq2seq"


@pytest.fixture
def save_delta(tiny_model: Callable[[str], str], tmp_path: Path) -> Callable[..., Path]:
    """(name, seed, architecture, method) -> the folder of a random delta."""

    def save(name: str, seed: int, model: str = "t5", delta: Any = None) -> Path:
        base = tiny_model(model)
        tuned = make_model(base, type=kind_of(model), delta=dict(delta or LORA))
        torch.manual_seed(seed)
        with torch.no_grad():
            for weight in tuned.delta.tensors(tuned.transformer).values():
                weight.add_(torch.randn_like(weight) * 0.3)
        tuned.delta.save(tuned.transformer, tmp_path / "deltas" / name, base)
        return tmp_path / "deltas" / name

    return save


def resident(base: str, first: Path, model: str = "t5") -> ResidentModel:
    return ResidentModel(Lazy(Model, Params({"type": kind_of(model), "model_name": base})), first)


def source_of(folder: Path) -> Source:
    return Source(folder.name, folder)


def instances(base: str) -> List[Instance]:
    reader = P3JsonlReader(base)
    return [reader.text_to_instance(*example) for example in EXAMPLES]


def task(base: str, batch_size: int = 3, delta: Any = None) -> TargetTask:
    return TargetTask("target", labelled_batches(instances(base), batch_size, "the target"), delta)


def slow_runs(model: ResidentModel, base: str) -> List[Dict[str, Any]]:
    """One plain pass for each example, without a batch: `logits` of its answer's tokens, `labels`, `hidden`."""
    tokenizer, transformer = P3JsonlReader(base).tokenizer, model.transformer
    runs = []
    for prompt, options, right in EXAMPLES:
        [ids], [labels] = tokenizer.prompts([prompt], 512), tokenizer.options([options[right]], 64)
        ids, labels = list(ids), list(labels)
        if transformer.config.is_encoder_decoder:
            start = [model.model.reading.start, *labels[:-1]]
            output = transformer(
                input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([start]), output_hidden_states=True
            )
            logits, hidden = output.logits[0], (output.encoder_hidden_states, output.decoder_hidden_states)
        else:
            output = transformer(input_ids=torch.tensor([[*ids, *labels]]), output_hidden_states=True)
            logits, hidden = output.logits[0, len(ids) - 1 : -1], (output.hidden_states,)
        runs.append({"logits": logits, "labels": torch.tensor(labels), "hidden": hidden})
    return runs
