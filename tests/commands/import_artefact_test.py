"""One command for all kinds. What each makes is tested beside the importers."""

import json
from pathlib import Path
from typing import Any

from attribution.importers import Importer
from tests.importers.published_deltas import save, tensors


def test_help_lists_the_kinds(allennlp: Any) -> None:
    result = allennlp("import-artefact", "--help")
    assert result.status == 0
    for kind in Importer.list_available():
        assert f"  {kind} " in result.stdout and Importer.by_name(kind).summary in result.stdout


def test_the_product_is_one_as_of_other_commands(tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    base = tiny_model("t5_gated")
    path = save("lora", tmp_path / "checkpoint-best.pt", tensors("lora", base))
    command = ["import-artefact", "delta_checkpoint", path, "--model-name", base, "-s", tmp_path / "out"]
    assert allennlp(*command).status == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["command"] == "import-artefact" and manifest["inputs"][0]["path"] == str(path)
    assert set(manifest["outputs"]) == {"adapter_config.json", "adapter_model.safetensors"}
    assert "finished already" in allennlp(*command).stdout
    save("lora", path, {name: 2 * tensor for name, tensor in tensors("lora", base).items()})
    result = allennlp(*command)
    assert result.status == 1 and "was made from something else" in result.stderr
    assert allennlp(*command, "--force").status == 0


def test_mistakes(tiny_model: Any, allennlp: Any, tmp_path: Path) -> None:
    path = save("lora", tmp_path / "checkpoint-best.pt", tensors("lora", tiny_model("t5_gated")))
    out = ["-s", tmp_path / "out"]
    cases: Any = [
        (["delta", path, *out], 2, "'delta' is not there; did you mean"),
        (["delta_checkpoint", path, *out], 1, '"importer.model_name" is missing'),
        (["delta_checkpoint", path, "--model-name", "x", "--pool", path, *out], 1, '"importer.pool" is no setting'),
        (
            ["delta_checkpoint", path, "--model-name", "x", "--allow-pickle", *out],
            1,
            '"importer.allow_pickle" is no sett',
        ),
        (["delta_checkpoint", path, "--model-name", tmp_path / "no" / "model", *out], 1, "model_name"),
    ]
    for arguments, status, message in cases:
        result = allennlp("import-artefact", *arguments)
        assert result.status == status and message in result.stderr, result.stderr
        assert "Traceback" not in result.stderr and not (tmp_path / "out").exists()
