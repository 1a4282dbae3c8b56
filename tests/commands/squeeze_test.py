"""From an archive to a folder that a plain model loads."""

import json
from pathlib import Path
from typing import Any

import torch
from allennlp.models.archival import load_archive

from attribution.modules.moe import TaskTable
from tests.models.conftest import make_batch, make_model

MOE = {
    "model.type": "task_moe_seq2seq",
    "model.task": "birds",
    "model.task_vectors": {"type": "learned", "tasks": ["birds"], "size": 4},
    "trainer.num_epochs": 1,
}


def test_an_archive_becomes_a_model(train_config: Any, allennlp: Any, tiny_model: Any, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    result = allennlp("train", train_config(MOE, model="bart"), "-s", run)
    assert result.status == 0, result.stderr
    result = allennlp("squeeze", run / "model.tar.gz", "-s", out, "--task", "birds")
    assert result.status == 0 and "a model without experts for the task 'birds'" in result.stdout, result.stderr
    assert json.loads((out / "manifest.json").read_text())["configuration"]["task"] == "birds"
    batch = make_batch(tiny_model("bart"))
    with torch.no_grad():
        one = make_model(str(out)).eval()(**batch)
        other: Any = load_archive(run / "model.tar.gz").model.eval()(**batch)
    assert torch.allclose(one["loss"], other["loss"], atol=1e-5)
    assert "finished already" in allennlp("squeeze", run / "model.tar.gz", "-s", out, "--task", "birds").stdout

    unknown = allennlp("squeeze", run, "-s", tmp_path / "new", "--task", "new")
    assert unknown.status == 1 and "'new' is not in the task table of 1 tasks" in unknown.stderr
    assert not (tmp_path / "new").exists()
    arguments = ["squeeze", run, "-s", tmp_path / "new", "--task", "new", "--unseen-tasks", tmp_path / "vectors"]
    nowhere = allennlp(*arguments)
    assert nowhere.status == 1 and f"task table {tmp_path / 'vectors'}: no such file" in nowhere.stderr
    (tmp_path / "vectors").mkdir()  # What `embed-tasks` writes.
    TaskTable(["new"], torch.ones(1, 4)).save(tmp_path / "vectors" / "task_vectors.npz")
    known = allennlp(*arguments)
    assert known.status == 0, known.stderr


def test_what_is_no_mixture(train_config: Any, allennlp: Any, tmp_path: Path) -> None:
    nowhere = allennlp("squeeze", tmp_path / "nowhere.tar.gz", "-s", tmp_path / "out", "--task", "birds")
    assert nowhere.status == 1 and "nowhere.tar.gz: no such archive" in nowhere.stderr
    (tmp_path / "empty").mkdir()
    empty = allennlp("squeeze", tmp_path / "empty", "-s", tmp_path / "out", "--task", "birds")
    assert empty.status == 1 and "the directory of a finished training has it" in empty.stderr
    assert allennlp("train", train_config({"trainer.num_epochs": 1}), "-s", tmp_path / "run").status == 0
    plain = allennlp("squeeze", tmp_path / "run", "-s", tmp_path / "out", "--task", "birds")
    assert plain.status == 1 and "a Seq2Seq has no experts" in plain.stderr
