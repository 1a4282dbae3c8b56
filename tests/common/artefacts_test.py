import hashlib
import json
from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import MANIFEST, new_artefact


def test_appears_whole_with_its_manifest(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("abc")
    with new_artefact(tmp_path / "a" / "out", "retrieve", [source], {"k": 3}) as folder:
        (folder / "product").write_text("x")
        assert not (tmp_path / "a" / "out").exists()
    assert sorted(path.name for path in (tmp_path / "a" / "out").iterdir()) == [MANIFEST, "product"]
    manifest = json.loads((tmp_path / "a" / "out" / MANIFEST).read_text())
    assert manifest["inputs"] == [
        {"path": str(source), "bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()},
    ]
    assert manifest["configuration"] == {"k": 3} and manifest["versions"]["torch"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_artefact(tmp_path / "out", "retrieve", [], {}) as folder:
        (folder / "product").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with new_artefact(tmp_path / "out", "retrieve", [], {}):
        pass  # An empty directory is fine.
    with pytest.raises(ConfigurationError, match="exists already"), new_artefact(tmp_path / "out", "x", [], {}):
        pass


def test_force_replaces_what_is_there_once_the_product_is_whole(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("x")
    with pytest.raises(RuntimeError), new_artefact(tmp_path / "out", "x", [], {}, force=True):
        raise RuntimeError
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old"]
    with new_artefact(tmp_path / "out", "x", [], {}, force=True) as folder:
        (folder / "product").write_text("x")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MANIFEST, "product"]
