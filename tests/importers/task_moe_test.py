"""Mixtures of experts, against the published program's formulas by hand."""

import re
from pathlib import Path
from typing import Any, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive

from attribution.importers import TaskMixture
from tests.importers.published_mixtures import TASKS, Mixture

PROMPT, TARGET = [1, 9, 11, 30, 7, 2], [2, 8, 4, 6]


@torch.no_grad()
def _logits(model: Any, task: str) -> torch.Tensor:
    model.set_routes([task])
    inputs = {"input_ids": torch.tensor([PROMPT]), "decoder_input_ids": torch.tensor([TARGET])}
    return model.transformer(**inputs).logits[0]


def _imported(published: Mixture, base: str, folder: Path, selector: str) -> Path:
    (folder / "out").mkdir()
    TaskMixture(str(published.save(folder / "best")), base, {"type": selector}).write(folder / "out")
    return folder / "out"


@pytest.mark.parametrize("kind, vanilla", [("gru", []), ("linear_layer_specific", ["encoder.1", "decoder.0"])])
def test_the_imported_mixture_makes_the_programs_logits(
    kind: str, vanilla: List[str], tiny_model: Any, tmp_path: Path
) -> None:
    published = Mixture(tiny_model("bart"), kind, vanilla)
    out = _imported(published, tiny_model("bart"), tmp_path, "softmax")
    model: Any = load_archive(out).model.eval()
    found = [_logits(model, task) for task in TASKS[:2]]
    assert (found[0] - found[1]).abs().max() > 0.01
    for task, logits in zip(TASKS, found):
        expected = published.logits(task, PROMPT, TARGET, one_expert=False)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_other_commands_take_it(tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    base = tiny_model("bart")
    published = Mixture(base)
    arguments = ["import-artefact", "task_moe", published.save(tmp_path / "best"), "--model-name", base]
    result = allennlp(*arguments, "-s", tmp_path / "run")
    assert result.status == 0 and "3 experts in 4 layers, 3 tasks" in result.stdout, result.stderr
    expected = published.logits("copa", PROMPT, TARGET, one_expert=True)
    torch.testing.assert_close(
        _logits(load_archive(tmp_path / "run").model.eval(), "copa"), expected, atol=1e-5, rtol=1e-5
    )
    (tmp_path / "gym" / "copa").mkdir(parents=True)
    (tmp_path / "gym" / "copa" / "copa_2_13_dev.tsv").write_text("was it ?\tyes\na film ?\tno\n")
    for command in (
        ["squeeze", tmp_path / "run", "--task", "copa", "-s", tmp_path / "plain"],
        ["evaluate", tmp_path / "run", tmp_path / "gym", "--output-file", tmp_path / "metrics.json"],
    ):
        result = allennlp(*command)
        assert result.status == 0, result.stderr


@pytest.mark.parametrize(
    "kind, changes, message",
    [
        (
            "linear",
            {"model.encoder.layers.0.blocks.0.fc1.weight": torch.ones(3, 3)},
            "1 of its tensors have another sha",
        ),
        ("linear", {"model.encoder.layers.0.blocks.0.fc3.weight": torch.ones(3, 3)}, "1 of its tensors are unknown"),
        ("linear", {"epoch": 3}, "not a state dict of a BART .*: `epoch` is a int"),
        ("gru", {"router.model.rnn.weight_hh_l0": torch.ones(2, 2)}, "have another shape"),
    ],
)
def test_what_is_no_such_checkpoint(kind: str, changes: Any, message: str, tiny_model: Any, tmp_path: Path) -> None:
    folder = Mixture(tiny_model("bart"), kind).save(tmp_path / "best", **changes)
    with pytest.raises(ConfigurationError, match=f"{re.escape(str(folder / 'model.pt'))}: .*{message}"):
        TaskMixture(str(folder), tiny_model("bart")).write(tmp_path)


def test_what_cannot_be_said_here(tiny_model: Any, tmp_path: Path) -> None:
    folder = Mixture(tiny_model("bart"), "gru", ["encoder.0"]).save(tmp_path / "best")
    with pytest.raises(ConfigurationError, match="model.pt: its router, gru, reads the 1 layers without experts, too"):
        TaskMixture(str(folder), tiny_model("bart")).write(tmp_path)
    torch.save({"model.shared.weight": torch.ones(2, 2)}, folder / "model.pt")
    with pytest.raises(
        ConfigurationError, match="model.pt: not a state dict of a BART whose layers have `blocks`, .* it"
    ):
        TaskMixture(str(folder), tiny_model("bart")).write(tmp_path)
    (folder / "model.pt").unlink()
    with pytest.raises(ConfigurationError, match=r"model.pt: no such file"):
        TaskMixture(str(folder), tiny_model("bart"))
