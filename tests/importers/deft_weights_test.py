"""Weights of DEFT's own models, against their formulas by hand."""

import os
import re
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from transformers import AutoModelForSeq2SeqLM

from attribution.importers import DeftIA3, DeftWeights
from tests.models.conftest import make_batch, make_model
from tests.modules.delta.slow_t5 import needs_transformers_5, slow_t5

PROMPT, TARGET = [5, 9, 11, 30, 7], [0, 8, 4, 6]
SCALED = ("k", "v", "wi_1")


class _IA3Linear(torch.nn.Module):
    """As DEFT's: the weights of a linear layer under its own names, and a vector for its output."""

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.ia3_vector = torch.nn.Parameter(1 + 0.5 * torch.randn(linear.out_features, 1))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(states, self.weight, self.bias) * self.ia3_vector.flatten()


def _published(folder: str, ia3: bool) -> Any:
    """A model that is not the one in the folder any more."""
    torch.manual_seed(4)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    if ia3:
        _scale(model)
    return model


def _scale(model: Any) -> None:
    for name, module in list(model.named_modules()):
        outer, _, last = name.rpartition(".")
        if last in SCALED:
            setattr(model.get_submodule(outer), last, _IA3Linear(module))


def _save(model: Any, path: Path) -> Dict[str, torch.Tensor]:
    state = {f"transformer.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(state, path)
    return state


@torch.no_grad()
def _logits(model: Any) -> torch.Tensor:
    return model(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]


@needs_transformers_5
@pytest.mark.parametrize("ia3", [False, True])
def test_a_model_of_its_weights(ia3: bool, tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    published = _published(base, ia3)
    _save(published, tmp_path / "best.th")
    arguments = ["import-artefact", "deft_weights", tmp_path / "best.th", "--model-name", base, "-s", tmp_path / "out"]
    result = allennlp(*arguments)
    assert result.status == 0 and ("16 layers of it scaled" in result.stdout) == ia3, result.stdout + result.stderr
    with torch.no_grad():
        expected = slow_t5(published, PROMPT, TARGET)
    imported = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").eval()
    torch.testing.assert_close(_logits(imported), expected, atol=1e-5, rtol=1e-5)
    assert make_model(str(tmp_path / "out"))(**make_batch(str(tmp_path / "out")))["loss"].isfinite()


@needs_transformers_5
def test_a_delta_of_its_vectors(tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    published = _published(tiny_model("t5_gated"), False)
    _save(published, tmp_path / "base.th")
    _scale(published)
    _save(published, tmp_path / "best.th")
    (tmp_path / "base").mkdir()
    DeftWeights(str(tmp_path / "base.th"), tiny_model("t5_gated")).write(tmp_path / "base")
    command = ["import-artefact", "deft_ia3", tmp_path / "best.th", "-s", tmp_path / "delta", "--model-name"]
    result = allennlp(*command, tiny_model("t5_gated"))
    assert result.status == 1 and "best.th: is of another model than" in result.stderr, result.stderr
    result = allennlp(*command, tmp_path / "base")
    assert result.status == 0 and "a delta, ia3, of 320 numbers" in result.stdout, result.stdout + result.stderr
    model = make_model(str(tmp_path / "base"), delta={"type": "ia3", "weights": str(tmp_path / "delta")})
    with torch.no_grad():
        expected = slow_t5(published, PROMPT, TARGET)
    torch.testing.assert_close(_logits(model.transformer.eval()), expected, atol=1e-5, rtol=1e-5)


class _Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


def test_what_is_none(tiny_model: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    state = _save(_published(base, True), tmp_path / "best.th")
    layer = "transformer.encoder.block.0.layer.0.SelfAttention.k"
    cases: Any = [
        (DeftWeights, {"bert.x": torch.ones(1)}, "not the weights of a `seq2seq` or `ia3_seq2seq`.*; it has bert.x"),
        (
            DeftWeights,
            {f"{layer}.ia3_vector": torch.ones(1, 16)},
            r"ia3_vector has the shape \(1, 16\).*\(outputs, 1\)",
        ),
        (DeftWeights, {"transformer.encoder.prefix_emb.weight": torch.ones(1)}, "the weights of a `mam_seq2seq`"),
        (DeftWeights, {f"{layer}.weight": torch.ones(16, 7)}, "model_name .*: 1 of its tensors have another shape"),
        (DeftWeights, {"more": _Harmful(tmp_path / "made")}, "it asks for posix.mkdir"),
        (DeftWeights, {"more": [1]}, "`more` is a list"),
        (DeftIA3, {}, "is of another model than"),
    ]
    for importer, changes, message in cases:
        torch.save({**state, **changes}, tmp_path / "best.th")
        with pytest.raises(ConfigurationError, match=f"{re.escape(str(tmp_path / 'best.th'))}: .*{message}"):
            importer(str(tmp_path / "best.th"), base).write(tmp_path)
    _save(_published(base, False), tmp_path / "plain.th")
    with pytest.raises(ConfigurationError, match="plain.th: has no `ia3_vector`; `deft_weights` takes it as a model"):
        DeftIA3(str(tmp_path / "plain.th"), base).write(tmp_path)
    assert not (tmp_path / "made").exists()
