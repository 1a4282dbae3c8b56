import json
from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.commands.subcommand import Subcommand

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine, RayEngine
from attribution.common.manifest import MANIFEST
from tests.conftest import CommandResult


class Copy(ArtefactJob):
    def __init__(self, path: str, seed: int = 0) -> None:
        self.path = Path(path)

    def inputs(self) -> List[Path]:
        return [self.path]

    def run(self, directory: Path, engine: Engine) -> str:
        (directory / "copy").write_text(self.path.read_text())
        return f"copied by {type(engine).__name__}, {getattr(engine, 'workers', 0)}"


@Subcommand.register("tests-copy")
class CopyCommand(ArtefactCommand):
    job = Copy
    summary = "Copies a file."


@pytest.fixture
def run(allennlp: Callable[..., CommandResult], tmp_path: Path) -> Callable[..., CommandResult]:
    (tmp_path / "file").write_text("x")

    def copy(*arguments: str, **settings: Any) -> CommandResult:
        (tmp_path / "c.jsonnet").write_text(json.dumps({"path": str(tmp_path / "file"), **settings}))
        return allennlp("tests-copy", tmp_path / "c.jsonnet", "-s", tmp_path / "out", *arguments)

    return copy


def test_the_engine_is_no_part_of_the_product(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    assert "copied by InProcessEngine" in run().stdout
    before = (tmp_path / "out" / MANIFEST).read_bytes()
    assert "finished already" in run("--engine", "ray").stdout
    assert "finished already" in run(engine={"type": "ray", "workers": 7}).stdout
    assert f"copied by {RayEngine.__name__}, 7" in run("--force", engine={"type": "ray", "workers": 7}).stdout
    assert (tmp_path / "out" / MANIFEST).read_bytes() == before


def test_another_input_is_another_product(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    run()
    (tmp_path / "file").write_text("y")
    result = run()
    assert result.status == 1 and "was made from something else: inputs" in result.stderr
    assert (tmp_path / "out" / "copy").read_text() == "x"
    result = run("-o", '{"seed": 3}', "--force")
    assert result.status == 0 and (tmp_path / "out" / "copy").read_text() == "y"
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["configuration"]["seed"] == 3


def test_mistakes(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    for arguments, message in ((["--engine", "steam"], "steam"), (["-o", "{"], "overrides")):
        result = run(*arguments)
        assert result.status == 1 and "Traceback" not in result.stderr and message in result.stderr, result.stderr
        assert not (tmp_path / "out").exists()
