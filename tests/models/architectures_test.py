"""
Every architecture that writes text, with its head tied to its embeddings and with one of its own, loaded, archived and
squeezed: the loss is what it was, or there is one refusal.
"""

import copy
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.models import Model
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from attribution.models.squeeze import squeeze
from tests.models.reading.matrix import (
    GOLD,
    Architecture,
    architectures,
    batches,
    build,
    load,
    plain_scores,
    tensors,
)
from tests.models.squeeze_test import SETTINGS, squeezed
from tests.modules.moe.conftest import KINDS, move_apart

BATCH = batches()["within"]
SAMPLE = [("causal_lm", name) for name in ("gpt2", "llama", "mixtral", "prophetnet")]
SAMPLE += [("seq2seq", name) for name in ("t5", "bart", "encoder-decoder")]
ALL = [pytest.param(one, marks=() if one in SAMPLE else pytest.mark.slow, id="-".join(one)) for one in architectures()]
SEQ2SEQ = [one for one in ALL if "seq2seq" in one.values[0]]  # type: ignore[operator]


def save(architecture: Architecture, tied: bool, folder: Path) -> Optional[torch.Tensor]:
    """A random model into `folder`; its head."""
    model = build(architecture, folder, tie_word_embeddings=tied)
    head = model.get_output_embeddings()
    if not tied and head is not None:
        head.weight = torch.nn.Parameter(torch.randn_like(head.weight) * 0.3)
        model.save_pretrained(folder)
    return None if head is None else head.weight


def read(architecture: Architecture, head: Optional[torch.Tensor], folder: Path) -> Any:
    """As `transformers` itself reads it."""
    auto: Any = AutoModelForCausalLM if architecture[0] == "causal_lm" else AutoModelForSeq2SeqLM
    reference = auto.from_pretrained(folder).float().eval()
    assert head is None or torch.equal(reference.get_output_embeddings().weight, head)
    return reference


def loss(model: Any) -> float:
    with torch.no_grad():
        return float(model.eval()(**tensors(BATCH, GOLD))["loss"])


def plain_loss(reference: Any) -> float:
    right = [row[gold] for row, gold in zip(plain_scores(reference, BATCH), GOLD)]
    return -sum(right) / sum(len(row[gold]) for row, gold in zip(BATCH.options, GOLD))


def loaded_again(model: Any, settings: Dict[str, Any], folder: Path) -> Any:
    """After a step of training, out of what an archive holds."""
    folder.mkdir()
    model.train()(**tensors(BATCH, GOLD))["loss"].backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    torch.save(model.state_dict(), folder / "best.th")
    Vocabulary.empty().save_to_files(str(folder / "vocabulary"))
    return Model.load(Params({"model": copy.deepcopy(settings)}), str(folder))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", ALL)
def test_loaded_and_archived(architecture: Architecture, tied: bool, tmp_path: Path) -> None:
    head = save(architecture, tied, tmp_path / "model")
    settings = {"type": architecture[0], "model_name": str(tmp_path / "model")}
    ways = {
        "folder": settings,
        "file": {**settings, "random_weights": True, "weights_file": str(tmp_path / "weights.th")},
    }
    try:
        models = {"folder": load(architecture, tmp_path / "model")}
    except ConfigurationError as error:
        assert str(error).startswith(f"model_name {tmp_path / 'model'}: ")
        return
    reference = read(architecture, head, tmp_path / "model")
    torch.save(reference.state_dict(), tmp_path / "weights.th")
    models["file"] = load(architecture, tmp_path / "model", **ways["file"])
    expected = plain_loss(reference)
    for way, model in models.items():
        assert loss(model) == pytest.approx(expected, abs=1e-5)
        again = loaded_again(model, ways[way], tmp_path / way)
        assert loss(again) == pytest.approx(loss(model), abs=1e-5) and abs(loss(again) - expected) > 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", SEQ2SEQ)
def test_squeezed(
    architecture: Architecture, tied: bool, kind: str, tiny_model: Callable[[str], str], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    save(architecture, tied, folder)
    AutoTokenizer.from_pretrained(tiny_model("t5")).save_pretrained(folder)
    settings = {**SETTINGS, "experts": {"type": kind}, "selector": {"type": "straight_through"}}
    settings = {**settings, "type": "task_moe_seq2seq", "model_name": str(folder)}
    torch.manual_seed(3)
    try:
        mixture: Any = load(architecture, folder, **settings)
    except ConfigurationError as error:
        assert str(error).startswith(("experts: ", "model_name "))
        return
    move_apart(mixture.transformer)
    expected = loss(mixture)
    squeeze(mixture, "birds", tmp_path / "out")
    assert loss(squeezed(kind, str(folder), tmp_path / "out")) == pytest.approx(expected, abs=1e-5)
    again = loaded_again(mixture, settings, tmp_path / "archive")
    assert loss(again) == pytest.approx(loss(mixture), abs=1e-5)
