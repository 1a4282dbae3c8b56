"""Checkpoints with an object of a class that is not here beside their tensors."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.importers.checkpoint_file import read_checkpoint, some_of, tensors_in


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    module: Any = ModuleType("tests_elsewhere")
    module.Config = type("Config", (), {"__module__": "tests_elsewhere"})
    config = module.Config()
    config.size = 3
    sys.modules["tests_elsewhere"] = module
    torch.save(
        {"weights": {"a": torch.ones(2, dtype=torch.float16), "b": torch.tensor(3)}, "config": config},
        tmp_path / "a.pt",
    )
    del sys.modules["tests_elsewhere"]
    return tmp_path / "a.pt"


def test_a_class_that_is_left_aside(checkpoint: Path) -> None:
    content = read_checkpoint(checkpoint, "a checkpoint", ["tests_elsewhere.Config"])
    tensors = tensors_in(content["weights"], checkpoint, "a checkpoint")
    assert tensors["a"].dtype == torch.float32 and tensors["b"].dtype == torch.int64
    assert type(content["config"]).__name__ == "LeftAside" and "tests_elsewhere" not in sys.modules
    for others in ([], ["tests_elsewhere.Other"]):
        with pytest.raises(ConfigurationError, match=r"a.pt: not loaded, .* \(it asks for tests_elsewhere.Config\)"):
            read_checkpoint(checkpoint, "a checkpoint", others)


def test_what_is_none(tmp_path: Path) -> None:
    for content, message in (([1], "not a checkpoint, but a list"), ({1: 2}, "not a checkpoint, but a dict")):
        torch.save(content, tmp_path / "a.pt")
        with pytest.raises(ConfigurationError, match=f"a.pt: {message}"):
            read_checkpoint(tmp_path / "a.pt", "a checkpoint")
    for odd, message in (
        (torch.ones(2, 2).to_sparse(), "of torch.sparse_coo"),
        (torch.ones(2, dtype=torch.complex64), "and torch.complex64, not a plain one"),
        (torch.tensor([1.0, float("nan")]), "no numbers, or infinite"),
    ):
        with pytest.raises(ConfigurationError, match=f"a.pt: `odd` .*{message}"):
            tensors_in({"a": torch.ones(1), "odd": odd}, tmp_path / "a.pt", "a checkpoint")
    for inner, message in (({}, "it holds nothing"), ({"a": "x"}, "`a` is a str")):
        with pytest.raises(ConfigurationError, match=f"a.pt: not a checkpoint: {message}"):
            tensors_in(inner, tmp_path / "a.pt", "a checkpoint")


def test_a_damaged_number(tmp_path: Path) -> None:
    torch.save({"a": torch.full((1000,), 1.5)}, tmp_path / "a.pt")
    content = bytearray((tmp_path / "a.pt").read_bytes())
    content[content.index(torch.full((9,), 1.5).numpy().tobytes()) + 2] ^= 1
    (tmp_path / "a.pt").write_bytes(content)
    assert torch.load(tmp_path / "a.pt", weights_only=True)["a"].unique().numel() == 2  # It does not see it.
    with pytest.raises(ConfigurationError, match="a.pt: damaged, a/data/0 in it is not what was written"):
        read_checkpoint(tmp_path / "a.pt", "a checkpoint")
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "old.pt", "a checkpoint")["a"].tolist() == [1, 1]


def test_names_for_messages() -> None:
    assert some_of(["a", "b"], 2) == "a, b" and some_of(["a", "b", "c"], 2) == "a, b, ..."
