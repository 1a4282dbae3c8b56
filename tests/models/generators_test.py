"""DEFT's generating models: what they write is what their metrics see."""

from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from allennlp.data import Batch, Vocabulary

from attribution.data.dataset_readers import DropReader, NaturalInstructionsReader, PromptedReader
from attribution.models import DropModel, NaturalInstructionsModel, PromptedModel

FIXTURES = Path(__file__).parents[1] / "fixtures"


def _evaluated(model: PromptedModel, reader: PromptedReader, path: Path) -> Any:
    batch = Batch(list(reader.read(str(path))))
    batch.index_instances(Vocabulary.empty())
    with torch.no_grad():
        output = model.eval()(**batch.as_tensor_dict())
    return model.make_output_human_readable(output), model.get_metrics(reset=True)


def test_drop(tiny_model: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    name, path = tiny_model("t5"), FIXTURES / "drop" / "drop_dataset_dev.json"
    model = DropModel(Vocabulary.empty(), name, max_length=3)
    output, metrics = _evaluated(model, DropReader(name), path)
    assert len(output["answer"]) == len(output["id"]) and metrics["drop_f1"] <= 1
    answers = {example.row: example.options[0] for example in DropReader(name).examples(str(path))}
    monkeypatch.setattr(model, "_texts", lambda ids: list(answers.values()))
    _, metrics = _evaluated(model, DropReader(name), path)
    assert metrics["drop_em"] == metrics["drop_f1"] == 1.0


def test_natural_instructions(tiny_model: Callable[[str], str]) -> None:
    pytest.importorskip("rouge_score", reason="the extra metrics")
    name = tiny_model("t5")
    model = NaturalInstructionsModel(Vocabulary.empty(), name, max_length=3)
    reader = NaturalInstructionsReader(name, split_name="test")
    output, metrics = _evaluated(model, reader, FIXTURES / "natural_instructions")
    assert all(len(text) < 100 for text in output["answer"])
    assert 0 <= metrics["natural_instructions_rouge_l"] <= 1
    assert any(value.startswith("natural_instructions_rouge_l/task/") for value in metrics)
