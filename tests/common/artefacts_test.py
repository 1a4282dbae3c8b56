import hashlib
import json
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import torch
from allennlp.common.checks import ConfigurationError

from attribution.common.artefacts import PLAN, is_whole, new_artefact
from attribution.common.manifest import MANIFEST, files, write_json, write_manifest

resumed = partial(new_artefact, goes_on=True)


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


def _names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_mistake_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError), new_artefact(tmp_path / "out", "retrieve", [], {}) as folder:
        (folder / "product").write_text("half")
        raise ConfigurationError("no")
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt, OSError(28, "No space left on device"), MemoryError("x"), torch.OutOfMemoryError("x")]
)
def test_what_was_interrupted_is_there_again(stop: Any, tmp_path: Path) -> None:
    identity = {"k": (1, 2)}
    with pytest.raises(type(stop) if isinstance(stop, Exception) else stop):
        with resumed(tmp_path / "out", "x", [], {}, identity) as folder:
            (folder / "shard").write_text("whole")
            raise stop
    assert _names(tmp_path) == [".out.part"]
    with pytest.raises(
        ConfigurationError, match=r"interrupted run with other settings left: k is \[1, 2\] there and 3"
    ):
        with resumed(tmp_path / "out", "x", [], {}, {"k": 3}):
            pass
    with resumed(tmp_path / "out", "x", [], {}, identity) as folder:
        assert (folder / "shard").read_text() == "whole"
    assert _names(tmp_path / "out") == [MANIFEST, "shard"]
    assert is_whole(tmp_path / "out", identity)


@pytest.mark.parametrize("words", [OSError(28, "No space left on device"), RuntimeError("I/O error: (os error 28)")])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_full_disk_is_named(goes_on: bool, words: Exception, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as raised:
        with new_artefact(tmp_path / "out", "x", [], {}, goes_on=goes_on) as folder:
            raise words
    assert raised.value.errno == 28 and str(raised.value.filename) == str(folder)
    assert ("the same command goes on" in str(raised.value)) == goes_on


def test_a_file_that_was_being_written_is_no_part_of_what_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), resumed(tmp_path / "out", "x", [], {}) as folder:
        for name in ("shard", f"{MANIFEST}.part", "a/file.part", "a/.b.part/whole"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        raise KeyboardInterrupt
    with resumed(tmp_path / "out", "x", [], {}) as folder:
        assert files(folder) == ["a/.b.part/whole", PLAN, "shard"]
    assert is_whole(tmp_path / "out", {"inputs": [], "configuration": {}})


FAILURES = [
    ZeroDivisionError("division by zero"),
    RuntimeError("shapes do not match"),
    OSError("a model that is not there"),
    FileNotFoundError(2, "No such file", "x"),
]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_after_a_failure_another_run_need_not_ask(error: Exception, tmp_path: Path) -> None:
    """The input is mended, so that its identity is another; the same may go on nevertheless."""
    for same in (True, False):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        with pytest.raises(type(error)), resumed(tmp_path / "out", "x", [], {}, {"input": "bad"}) as folder:
            (folder / "shard").write_text("half")
            raise error
        with resumed(tmp_path / "out", "x", [], {}, {"input": "bad" if same else "good"}) as folder:
            assert (folder / "shard").exists() == same
            (folder / "product").write_text("x")
        assert _names(tmp_path / "out") == [MANIFEST, "product", *(["shard"] if same else [])]
        assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_a_failure_before_anything_is_written_leaves_nothing(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)), resumed(tmp_path / "out", "x", [], {}, {"input": "bad"}):
        raise error
    assert _names(tmp_path) == []


def test_a_failure_that_was_gone_on_from_and_interrupted_is_guarded_again(tmp_path: Path) -> None:
    for stop in (ValueError("bad"), KeyboardInterrupt()):
        with pytest.raises(type(stop)), resumed(tmp_path / "out", "x", [], {}, {"k": 1}) as folder:
            (folder / "shard").write_text("whole")
            raise stop
    with pytest.raises(ConfigurationError, match="interrupted run with other settings"):
        with resumed(tmp_path / "out", "x", [], {}, {"k": 2}):
            pass


def test_force_begins_anew_and_keeps_the_old_until_then(tmp_path: Path) -> None:
    with resumed(tmp_path / "out", "x", [], {}, {"k": 1}) as folder:
        (folder / "old").write_text("x")
    with pytest.raises(KeyboardInterrupt), resumed(tmp_path / "out", "x", [], {}, {"k": 2}, force=True) as folder:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert _names(tmp_path / "out") == [MANIFEST, "old"]
    with resumed(tmp_path / "out", "x", [], {}, {"k": 3}, force=True) as folder:
        assert _names(folder) == ["plan.json"]
        (folder / "new").write_text("x")
    assert _names(tmp_path / "out") == [MANIFEST, "new"] and _names(tmp_path) == ["out"]


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with new_artefact(tmp_path / "out", "retrieve", [], {}):
        pass  # An empty directory is fine.
    with pytest.raises(ConfigurationError, match="exists already"), new_artefact(tmp_path / "out", "x", [], {}):
        pass


def test_only_one_process_writes_a_directory(tmp_path: Path) -> None:
    with new_artefact(tmp_path / "out", "x", [], {}):
        with pytest.raises(ConfigurationError, match="out: another process is writing it"):
            with new_artefact(tmp_path / "out", "x", [], {}):
                pass


def test_whole_is_what_was_made_from_the_same(tmp_path: Path) -> None:
    assert not is_whole(tmp_path / "out", {"a": {"b": 1}})
    with new_artefact(tmp_path / "out", "x", [], {}, {"a": {"b": 1}}):
        pass
    assert is_whole(tmp_path / "out", {"a": {"b": 1}})
    with pytest.raises(ConfigurationError, match="made from something else: a.b is 1 there and 2 here"):
        is_whole(tmp_path / "out", {"a": {"b": 2}})


def test_a_manifest_of_something_else(tmp_path: Path) -> None:
    for content in ('{"name": "a web page"}', "null", "[]", "[" * 100_000, ""):
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(ConfigurationError, match="manifest.json: (not a manifest of|missing or damaged)"):
            is_whole(tmp_path, {})
        with pytest.raises(ConfigurationError, match="it is no product of this package"):
            with new_artefact(tmp_path, "x", [], {}, force=True):
                pass


def test_killed_between_the_two_renames_of_a_replacement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    with new_artefact(target, "embed", [], {}, {"k": 1}) as folder:
        (folder / "product").write_text("old")

    def stop(source: Path, to: Path) -> None:
        if to == target:
            raise KeyboardInterrupt
        rename(source, to)

    rename = os.replace
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.replace", stop)
        with new_artefact(target, "embed", [], {}, {"k": 2}, force=True) as folder:
            (folder / "product").write_text("new")
    assert not target.exists()
    assert is_whole(target, {"k": 2}) and (target / "product").read_text() == "new"
    assert _names(tmp_path) == ["out"]


def test_a_damaged_plan(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), resumed(tmp_path / "out", "embed", [], {}) as folder:
        (folder / "shard").write_text("whole")
        raise KeyboardInterrupt
    (folder / "plan.json").write_text('{"k":')
    with pytest.raises(ConfigurationError, match=r"plan.json is damaged .*; run .*remove it \(--force does\)"):
        with resumed(tmp_path / "out", "embed", [], {}):
            pass


def test_an_unfinished_folder_is_not_put_in_the_place_of_what_was_replaced(tmp_path: Path) -> None:
    for name, product in ((".out.old", "old"), (".out.part", "half")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "product").write_text(product)
    write_manifest(tmp_path / ".out.old", "x", [], {}, {"k": 1})
    assert is_whole(tmp_path / "out", {"k": 1}) and (tmp_path / "out" / "product").read_text() == "old"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "out")
    for product in ("one", "two"):
        with new_artefact(tmp_path / "out", "embed", [], {"product": product}, force=True) as folder:
            (folder / "product").write_text(product)
    assert (tmp_path / "out").is_symlink() and (tmp_path / "disk" / "out" / "product").read_text() == "two"
    assert _names(tmp_path) == ["disk", "out"] and _names(tmp_path / "disk") == ["out"]


def test_what_cannot_be_renamed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path == tmp_path)
    with pytest.raises(ConfigurationError, match="the root of a disk"), new_artefact(tmp_path, "embed", [], {}):
        pass


def test_a_rename_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, to: Path) -> None:
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="the same command goes on: .*out.part"):
        with resumed(tmp_path / "out", "embed", [], {"k": 1}) as folder:
            (folder / "product").write_text("x")
            write_json(folder / "other.json", {})
            patch.setattr("os.replace", lambda source, to: rename(source, to) if to.suffix else fail(source, to))
            rename = os.rename
    with resumed(tmp_path / "out", "embed", [], {"k": 1}) as folder:
        assert (folder / "product").read_text() == "x"
    assert _names(tmp_path / "out") == [MANIFEST, "other.json", "product"]


@pytest.mark.parametrize("other", [False, True])
def test_force_goes_on_with_the_same(other: bool, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), resumed(tmp_path / "out", "embed", [], {"k": 1}) as folder:
        (folder / "shard").write_text("x")
        raise KeyboardInterrupt
    with resumed(tmp_path / "out", "embed", [], {"k": 2 if other else 1}, force=True) as folder:
        assert (folder / "shard").exists() is not other


def _product(target: Path, **identity: Any) -> None:
    with new_artefact(target, "build-pool", [], {}, identity, force=True) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "rows").write_bytes(bytes(range(256)) * 8192)  # Two megabytes.
        (folder / "about").write_text("x")


def _flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    time.sleep(0.01)  # A second write in the same tick of the disk's clock would look like the first.
    path.write_bytes(content)


DAMAGES: Dict[str, Callable[[Path], Any]] = {
    "a/rows is missing": lambda folder: (folder / "a" / "rows").unlink(),
    "a/rows has 9 bytes, 2097152 were written": lambda folder: (folder / "a" / "rows").write_bytes(b"123456789"),
    "about has other content than was written": lambda folder: _flip(folder / "about", 0),
    "a/rows has other content than was written": lambda folder: _flip(folder / "a" / "rows", 1_000_000),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_product_is_made_again(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _product(tmp_path / "out", k=1)
    before = {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")}
    DAMAGES[what](tmp_path / "out")
    assert not is_whole(tmp_path / "out", {"k": 1})
    assert f"{what}; it is made again" in caplog.text
    with pytest.raises(ConfigurationError, match="made from something else"):
        is_whole(tmp_path / "out", {"k": 2})
    with pytest.raises(ConfigurationError, match="exists already"), new_artefact(tmp_path / "out", "x", [], {}, {}):
        pass
    with new_artefact(tmp_path / "out", "build-pool", [], {}, {"k": 1}) as folder:
        (folder / "a").mkdir()
        (folder / "a" / "rows").write_bytes(bytes(range(256)) * 8192)
        (folder / "about").write_text("x")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")} == before
    assert _names(tmp_path) == ["out"]


def test_a_damaged_manifest_needs_force(tmp_path: Path) -> None:
    _product(tmp_path / "out", k=1)
    _flip(tmp_path / "out" / MANIFEST, 20)  # A letter of the command's name.
    with pytest.raises(ConfigurationError, match="damaged.*--force"):
        is_whole(tmp_path / "out", {"k": 1})
    _product(tmp_path / "out", k=1)
    assert is_whole(tmp_path / "out", {"k": 1})


def test_force_replaces_nothing_but_a_product(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("x")
    with pytest.raises(ConfigurationError, match=r"not empty \(chapter\); it is no product of this package"):
        _product(tmp_path / "thesis")
    _product(tmp_path / "out", k=1)
    (tmp_path / "out" / "a" / "notes").write_text("x")
    with pytest.raises(ConfigurationError, match="is to be replaced, and a/notes is no part of it"):
        _product(tmp_path / "out", k=2)
    (tmp_path / "out" / "about").write_text("damaged")
    assert not is_whole(tmp_path / "out", {"k": 1})
    with pytest.raises(ConfigurationError, match="a/notes is no part of it"):
        with new_artefact(tmp_path / "out", "build-pool", [], {}, {"k": 1}):
            pass
    assert _names(tmp_path) == ["out", "thesis"] and _names(tmp_path / "out" / "a") == ["notes", "rows"]


@pytest.mark.parametrize("where", ["", "rows", "sub/rows"])
def test_what_it_is_made_from_is_not_in_it(where: str, tmp_path: Path) -> None:
    source = tmp_path / "out" / where
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("x")
    with pytest.raises(ConfigurationError, match="holds .*, which it is to be made from"):
        with new_artefact(tmp_path / "out", "x", [source], {}, force=True):
            pass
    assert source.read_text() == "x"


@pytest.mark.parametrize("name", [".out.part", ".out.old"])
@pytest.mark.parametrize("kind", ["link", "folder", "file"])
@pytest.mark.parametrize("force", [False, True])
def test_a_name_that_somebody_else_uses(name: str, kind: str, force: bool, tmp_path: Path) -> None:
    other = tmp_path / "photographs"
    other.mkdir()
    (other / "one").write_text("x")
    _product(tmp_path / "out", k=1)
    if kind == "link":
        (tmp_path / name).symlink_to(other)
    else:
        other.rename(tmp_path / name) if kind == "folder" else (tmp_path / name).write_text("x")
    with pytest.raises(ConfigurationError, match=f"{name}: this name is needed here"):
        with new_artefact(tmp_path / "out", "x", [], {}, {"k": 2}, force=True):
            pass
    kept = {"link": other / "one", "folder": tmp_path / name / "one", "file": tmp_path / name}[kind]
    assert kept.read_text() == "x" and (tmp_path / "out" / "about").read_text() == "x"


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), ValueError("x"), ConfigurationError("x"), OSError(28, "full")])
def test_of_work_that_cannot_be_gone_on_with_nothing_is_left(stop: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(stop)), new_artefact(tmp_path / "out", "x", [], {}) as folder:
        (folder / "half").write_text("x")
        raise stop
    assert _names(tmp_path) == []


def test_what_a_killed_process_left_that_cannot_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / ".out.part").mkdir()
    (tmp_path / ".out.part" / "half").write_text("x")
    write_json(tmp_path / ".out.part" / "plan.json", {"k": 1})
    for identity in ({"k": 2}, {"k": 1}):
        with new_artefact(tmp_path / "out", "x", [], {}, identity, force=True) as folder:
            assert _names(folder) == ["plan.json"]
