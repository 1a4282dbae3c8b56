import json
import time
from pathlib import Path
from typing import Any, Callable, List

import pytest
from allennlp.commands.subcommand import Subcommand

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine, RayEngine
from attribution.common.manifest import MANIFEST, write_manifest
from tests.conftest import CommandResult


class Copy(ArtefactJob):
    def __init__(self, path: str, seed: int = 0, folder: str = "") -> None:
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
    assert result.status == 1 and f"was made from something else: inputs.{tmp_path}/file is " in result.stderr
    assert (tmp_path / "out" / "copy").read_text() == "x"
    result = run("-o", '{"seed": 3}', "--force")
    assert result.status == 0 and (tmp_path / "out" / "copy").read_text() == "y"
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["configuration"]["seed"] == 3


def test_mistakes(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    for arguments, message in ((["--engine", "steam"], '"engine.type" is "steam"'), (["-o", "{"], "overrides")):
        result = run(*arguments)
        assert result.status == 1 and "Traceback" not in result.stderr and message in result.stderr, result.stderr
        assert not (tmp_path / "out").exists()


def test_what_is_read_of_another_product(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    """Of a folder that is named sizes and ends are looked at, and with --verify everything."""
    (tmp_path / "product").mkdir()
    (tmp_path / "product" / "shard").write_bytes(bytes(2 << 20))
    write_manifest(tmp_path / "product", "embed", [], {}, {}, "allennlp embed e.jsonnet")
    folder = str(tmp_path / "product")
    assert run("--verify", folder=folder).status == 0
    for place, verify, status in ((1 << 20, False, 0), (1 << 20, True, 1), (0, False, 1)):
        time.sleep(0.01)  # A second write in the same tick of the disk's clock would look like the first.
        with (tmp_path / "product" / "shard").open("r+b") as file:
            file.seek(place)
            file.write(b"!")
        result = run(*(["--verify"] if verify else []), folder=folder)
        assert result.status == status, result.stderr
        message = f"shard: has other content than was written; make it again with: allennlp embed e.jsonnet -s {folder}"
        assert (message in result.stderr) == bool(status)


def test_the_configuration_is_not_replaced(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing" / "..", tmp_path.parent):
        result = run("-s", str(place), "--force")
        assert result.status == 1 and "c.jsonnet, which it is to be made from" in result.stderr
    assert (tmp_path / "file").read_text() == "x"
