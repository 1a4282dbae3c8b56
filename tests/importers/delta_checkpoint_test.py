"""Checkpoints of weight ensembling, against the program's formulas by hand."""

import json
import os
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.importers import DeltaCheckpoint
from tests.importers.published_deltas import ALPHA, RANK, logits, save, tensors
from tests.models.conftest import make_model
from tests.modules.delta.slow_t5 import needs_transformers_5

PROMPT, TARGET = [5, 9, 11, 30, 7], [0, 8, 4, 6]


@needs_transformers_5
@pytest.mark.parametrize("kind", ["adapter", "lora", "prefix"])
def test_the_imported_delta_makes_the_programs_logits(
    kind: str, tiny_model: Any, allennlp: Any, tmp_path: Path
) -> None:
    base = tiny_model("t5_gated")
    content = tensors(kind, base)
    checkpoint = save(kind, tmp_path / "checkpoint-best.pt", content)
    arguments = ["import-artefact", "delta_checkpoint", checkpoint, "--model-name", base, "-s", tmp_path / "delta"]
    result = allennlp(*arguments)
    assert result.status == 0 and f"a delta, {kind}, of" in result.stdout, result.stderr
    assert "finished already" in allennlp(*arguments).stdout
    model = make_model(base, delta={"type": "folder", "weights": str(tmp_path / "delta")}).transformer.eval()
    with torch.no_grad():
        found = model(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
        plain = make_model(base).transformer.eval()
        without = plain(input_ids=torch.tensor([PROMPT]), decoder_input_ids=torch.tensor([TARGET])).logits[0]
    expected = logits(kind, base, content, PROMPT, TARGET)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert (expected - without).abs().max() > 0.1


def test_a_merged_checkpoint_has_no_configuration(tiny_model: Any, tmp_path: Path) -> None:
    content = tensors("lora", tiny_model("t5_gated"))
    path = tmp_path / "without_boolq_checkpoint.pt"
    torch.save({"lora": content, "args": {"tune_method": "lora", "lora_alpha": ALPHA}, "current_state": {}}, path)
    DeltaCheckpoint(str(path), tiny_model("t5_gated")).write(tmp_path / "delta")
    config = json.loads((tmp_path / "delta" / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", RANK, ALPHA)


class _Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize(
    "kind, change, message",
    [
        (
            "prompt",
            lambda content: {},
            "not a checkpoint of weight ensembling.*; it has args, config, current_state, op",
        ),
        ("lora", lambda content: {"adapter": content}, "not a checkpoint of weight ensembling"),
        ("lora", lambda content: {"args": {"tune_method": "lora"}}, "`lora_alpha` is None; a number above 0 is"),
        ("lora", lambda content: {"args": {"lora_alpha": float("nan")}}, "`lora_alpha` is nan; a number above 0 is"),
        ("lora", lambda content: {"args": {"lora_alpha": 0}}, "`lora_alpha` is 0; a number above 0 is"),
        ("lora", lambda content: {"lora": {"x.lora_R": torch.ones(2, 1)}}, r"x.lora_R \(2, 1\) is no factor of a LoRA"),
        ("lora", lambda content: {"lora": {}}, "it holds nothing"),
        ("lora", lambda content: {"lora": {"a.lora_A": 3}}, "`a.lora_A` is a int"),
        ("adapter", lambda content: {"args": {"adapter_type": "x"}}, "its `adapter_type` is 'x'; houlsby and pfeiffer"),
        ("adapter", lambda content: {"adapter": dict(list(content.items())[2:])}, "2 of its tensors are missing"),
        ("adapter", lambda content: {"adapter": {"shared.adapter_A": torch.ones(2, 2)}}, "is no adapter of a T5's"),
        (
            "prefix",
            lambda content: {"prefix": {"encoder.prefix.prefix": torch.ones(3, 16)}},
            "a prefix of encoder.pref",
        ),
        (
            "prefix",
            lambda content: {"prefix": {**content, "decoder.prefix.prefix_project.2.weight": torch.ones(32, 5)}},
            r"the decoder's prefix has the shapes \(3, 16\), \(5, 16\), \(32, 5\)",
        ),
    ],
)
def test_what_is_no_such_checkpoint(kind: str, change: Any, message: str, tiny_model: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    content = tensors(kind, base) if kind != "prompt" else torch.ones(100, 16)
    path = save(kind, tmp_path / "checkpoint.pt", content, **change(content))
    with pytest.raises(ConfigurationError, match=f"{re.escape(str(path))}: .*{message}"):
        DeltaCheckpoint(str(path), base).write(tmp_path / "delta")
    assert not (tmp_path / "delta").exists()


def test_arguments_that_are_no_dictionary(tiny_model: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    arguments = Namespace(tune_method="lora", lora_alpha=ALPHA)
    path = save("lora", tmp_path / "checkpoint.pt", tensors("lora", base), args=arguments)
    DeltaCheckpoint(str(path), base).write(tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["lora_alpha"] == ALPHA


def test_nothing_is_executed_and_other_formats_are_named(tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    content = tensors("lora", base)
    (tmp_path / "result.tsv").write_text("boolq\nrte,0.5\n")
    torch.save([1], tmp_path / "list.pt")
    for path, message in (
        (save("lora", tmp_path / "evil.pt", content, more=_Harmful(tmp_path / "made")), "asks for posix.mkdir"),
        (tmp_path / "result.tsv", "cannot be read, it is truncated or no file of tensors"),
        (tmp_path / "list.pt", "with tensors under `adapter`, `lora` or `prefix`, but a list"),
        (tmp_path / "nowhere.pt", "no such file"),
    ):
        arguments = ["import-artefact", "delta_checkpoint", path, "--model-name", base, "-s", tmp_path / "out"]
        result = allennlp(*arguments)
        assert result.status == 1 and message in result.stderr and str(path) in result.stderr, result.stderr
        assert "Traceback" not in result.stderr and not (tmp_path / "out").exists()
    assert not (tmp_path / "made").exists()


def test_another_base_model(tiny_model: Any, tmp_path: Path) -> None:
    path = save("lora", tmp_path / "checkpoint.pt", tensors("lora", tiny_model("t5_gated")))
    with pytest.raises(ConfigurationError, match="a delta of T5; .* is bart"):
        DeltaCheckpoint(str(path), tiny_model("bart")).write(tmp_path / "delta")
