"""The script that ports AllenNLP: each edit matches, the bytes are the same each time, the metadata are true."""

import importlib.util
import sys
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "shell_scripts" / "port_allennlp.py"


@pytest.fixture(scope="module")
def script() -> Any:
    spec = importlib.util.spec_from_file_location("port_allennlp", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["port_allennlp"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def published(script: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `make install` left it; else from the package index."""
    kept = SCRIPT.parents[1] / ".cache" / "wheelhouse" / "published"
    return script.fetch(kept if kept.exists() else tmp_path_factory.mktemp("published"))


def test_the_same_bytes_each_time_and_nothing_done_twice(script: Any, published: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        script.main([str(tmp_path / name), "--published", str(published)])
    one, two = (tmp_path / name / script.PORTED for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    before = one.stat().st_mtime_ns
    script.main([str(tmp_path / "one"), "--published", "/nowhere"])
    assert one.stat().st_mtime_ns == before


def test_metadata_and_record(script: Any, published: Path, tmp_path: Path) -> None:
    script.main([str(tmp_path), "--published", str(published)])
    with zipfile.ZipFile(tmp_path / script.PORTED) as wheel:
        folder = f"allennlp-{script.VERSION}.dist-info"
        metadata = Parser().parsestr(wheel.read(f"{folder}/METADATA").decode())
        record = [line.split(",")[0] for line in wheel.read(f"{folder}/RECORD").decode().splitlines()]
        assert sorted(record) == sorted(wheel.namelist())
        sources = "".join(wheel.read(name).decode() for name in wheel.namelist() if name.endswith(".py"))
    assert metadata["Version"] == script.VERSION
    assert metadata.get_all("Requires-Dist") == list(script.REQUIREMENTS)
    assert "fairscale.nn" not in sources and "extractall(tempdir)" not in sources
    for line in sources.splitlines():
        loads = "torch.load(" in line and "`" not in line
        assert not loads or "weights_only=True" in line, line


def test_an_edit_that_matches_another_number_of_times_stops_the_port(script: Any) -> None:
    edit = script.Edit("allennlp/x.py", "old", "new", 2)
    assert script.apply(edit, "old old") == "new new"
    with pytest.raises(SystemExit, match=r"in allennlp/x.py this stands 1 times, not 2"):
        script.apply(edit, "old")


def test_another_wheel_is_refused(script: Any, tmp_path: Path) -> None:
    (tmp_path / "other.whl").write_bytes(b"not it")
    with pytest.raises(SystemExit, match="sha256"):
        script.main([str(tmp_path / "wheelhouse"), "--published", str(tmp_path / "other.whl")])
