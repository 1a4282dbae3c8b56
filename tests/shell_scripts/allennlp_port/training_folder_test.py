"""What a training may replace, and what is there after an accident; the training itself is a function that writes."""

import fcntl
import os
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.training_folder import check_configuration, keeping_what_was_there, remove_what_was_there

EARLY = ("meta.json", "config.json", "out.log")


def _write(folder: Path, *names: str, text: str = "{}") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def _content(folder: Path) -> Dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def train(tmp_path: Path) -> Callable[..., None]:
    """(what it writes, how it fails, settings and options) -> a training in `run`."""

    def do(writes: Any = (*EARLY, "best.th"), fails: Optional[BaseException] = None, **options: Any) -> None:
        settings = options.pop("settings", {})

        @keeping_what_was_there
        def train_model(
            params: Any, serialization_dir: str, recover: bool = False, force: bool = False, **_: Any
        ) -> None:
            assert recover or not os.listdir(serialization_dir)
            assert not force
            _write(Path(serialization_dir), *writes, text='"new"')
            if fails is not None:
                raise fails

        train_model(Params(settings), str(tmp_path / "run"), **options)

    return do


@pytest.fixture
def old(tmp_path: Path) -> Path:
    _write(tmp_path / "run", *EARLY, "vocabulary/tokens.txt", "best.th", "model.tar.gz", text='"old"')
    return tmp_path / "run"


@pytest.mark.parametrize("error", [ConfigurationError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("writes", [(), ("meta.json.part",), EARLY])
def test_a_failure_before_a_checkpoint(error: Any, writes: Any, train: Any, old: Path, tmp_path: Path) -> None:
    before = _content(tmp_path)
    with pytest.raises(type(error)):
        train(writes, error, force=True)
    assert _content(tmp_path) == before
    os.rename(old, tmp_path / "elsewhere")
    with pytest.raises(type(error)):
        train(writes, error)
    assert not old.exists()
    old.mkdir()
    with pytest.raises(type(error)):
        train(writes, error)
    assert list(old.iterdir()) == []


def test_a_failure_after_a_checkpoint(train: Any, old: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(fails=KeyboardInterrupt(), force=True)
    assert set(_content(tmp_path)) == {f"run/{name}" for name in (*EARLY, "best.th")}
    assert set(_content(tmp_path).values()) == {'"new"'}


def test_what_a_killed_one_had_set_aside_comes_back(
    train: Any, old: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = _content(tmp_path)
    for left in ((), ("meta.json.part",), EARLY, (*EARLY, "vocabulary/tokens.txt", "metrics_epoch_0.json.part")):
        for there in (True, False):
            caplog.clear()
            old.rename(tmp_path / ".run.replaced")
            if there:
                old.mkdir()
                _write(old, *left)
            with pytest.raises(ConfigurationError, match="has a training already"):
                train()
            assert _content(tmp_path) == before
            assert f"{old}: is again what it was before a training that was killed" in caplog.text
    old.rename(tmp_path / ".run.replaced")
    _write(old, *EARLY)
    train(force=True)
    assert set(_content(tmp_path).values()) == {'"new"'}


def test_after_a_checkpoint_of_the_killed_one_it_is_gone(train: Any, old: Path, tmp_path: Path) -> None:
    old.rename(tmp_path / ".run.replaced")
    _write(old, *EARLY, "model_state_e0_b1.th")
    train(recover=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    (tmp_path / ".run.replaced").mkdir()  # The kill came when all in it was removed.
    train(recover=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_is_not_known_is_not_touched(train: Any, old: Path, tmp_path: Path) -> None:
    old.rename(tmp_path / ".run.replaced")
    _write(old, "mine.txt")
    before = _content(tmp_path)
    for options in ({}, {"force": True}, {"recover": True}):
        with pytest.raises(ConfigurationError, match=r"\.run\.replaced: is what .*run was before .* move one of the"):
            train(**options)
    assert _content(tmp_path) == before
    _write(old, *EARLY, "best.th")
    os.remove(tmp_path / ".run.replaced" / "config.json")
    before = _content(tmp_path)
    with pytest.raises(ConfigurationError, match=r"\.run\.replaced: is in the way"):
        train(recover=True)
    assert _content(tmp_path) == before
    (tmp_path / ".run.replaced").rename(tmp_path / "other")
    (tmp_path / ".run.replaced").symlink_to("other")
    with pytest.raises(ConfigurationError, match=r"\.run\.replaced: is in the way"):
        train(recover=True)


@pytest.mark.parametrize("force", [True, False])
@pytest.mark.parametrize(
    "names", [("mine.txt",), ("config.json",), ("config.json", "model.safetensors"), ("best.th",), ("meta.json", "x")]
)
def test_a_folder_that_no_training_wrote(names: Any, force: bool, train: Any, tmp_path: Path) -> None:
    _write(tmp_path / "run", *names)
    before = _content(tmp_path)
    with pytest.raises(ConfigurationError, match="run: is there, and no training has written it"):
        train(force=force)
    if force:
        with pytest.raises(ConfigurationError, match="run: is there, and no training has written it"):
            remove_what_was_there(Params({}), tmp_path / "run")
    assert _content(tmp_path) == before


@pytest.mark.parametrize("names", [(), EARLY, ("meta.json", "config.json.part")])
def test_what_a_killed_one_left_is_replaced(names: Any, train: Any, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    _write(tmp_path / "run", *names)
    train(force=True)
    assert set(_content(tmp_path)) == {f"run/{name}" for name in (*EARLY, "best.th")}


@pytest.mark.parametrize("names", [(), EARLY, ("lr-losses.png",)])
def test_what_find_lr_replaces(names: Any, tmp_path: Path) -> None:
    (tmp_path / "lr").mkdir()
    _write(tmp_path / "lr", *names)
    remove_what_was_there(Params({}), tmp_path / "lr")
    assert _content(tmp_path) == {}


def test_one_that_had_not_begun_is_no_hindrance(train: Any, tmp_path: Path) -> None:
    _write(tmp_path / "run", "meta.json", "config.json.part", text="")
    with pytest.raises(ConfigurationError, match="nothing to go on with yet; leave --recover out"):
        train(recover=True)
    train()
    assert set(_content(tmp_path)) == {f"run/{name}" for name in (*EARLY, "best.th")}


def test_where_the_command_runs(train: Any, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _content(tmp_path)
    for here in (old, old / "vocabulary"):
        monkeypatch.chdir(here)
        with pytest.raises(ConfigurationError, match="run: is not replaced, this command runs in it"):
            train(force=True)
    assert _content(tmp_path) == before


@pytest.mark.parametrize("force", [True, False])
def test_inputs_in_the_directory(force: bool, train: Any, old: Path, tmp_path: Path) -> None:
    (old / "link").symlink_to(tmp_path / "rows.jsonl")
    _write(tmp_path, "rows.jsonl", "run/rows.jsonl")
    (tmp_path / "outside").symlink_to("run/rows.jsonl")
    before = _content(tmp_path)
    for settings, place in (
        ({"train_data_path": f"{old}/rows.jsonl"}, "train_data_path"),
        ({"train_data_path": f"{old}/*.jsonl"}, "train_data_path"),
        ({"train_data_path": f"{old}/link"}, "train_data_path"),
        ({"train_data_path": f"{tmp_path}/outside"}, "train_data_path"),
        ({"validation_data_path": [f"{tmp_path}/rows.jsonl", str(old)]}, "validation_data_path.1"),
        ({"model": {"weights_file": f"{old}/best.th"}}, "model.weights_file"),
    ):
        with pytest.raises(ConfigurationError, match=f"run: cannot be written, {place} .* it; name another directory"):
            train(settings=settings, force=force)
    assert _content(tmp_path) == before
    train(recover=True, settings={"vocabulary": {"directory": f"{old}/vocabulary"}})


def test_names_that_are_no_inputs(train: Any, old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"project": "run", "template": "{{a}}/[b]*", "model": f"{old}/later.th", "long": "/a" * 9000, "n": 3}
    train(force=True, settings=settings)


def test_the_configuration_in_the_directory(tmp_path: Path) -> None:
    _write(tmp_path / "run", "config.json")
    with pytest.raises(ConfigurationError, match="the configuration .* is in it"):
        check_configuration(tmp_path / "run" / "config.json", tmp_path / "run", recover=False)
    check_configuration(tmp_path / "run" / "config.json", tmp_path / "run", recover=True)
    check_configuration(tmp_path / "run" / "config.json", tmp_path / "run" / "deeper", recover=False)


def test_two_at_once(train: Any, old: Path, tmp_path: Path) -> None:
    before = _content(tmp_path)
    handle = os.open(old, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        for options in ({"force": True}, {"recover": True}):
            with pytest.raises(ConfigurationError, match="run: another process is training there"):
                train(**options)
        old.rename(tmp_path / ".run.replaced")
        with pytest.raises(ConfigurationError, match="run: another process is training there"):
            train()
        (tmp_path / ".run.replaced").rename(old)
    finally:
        os.close(handle)
    assert _content(tmp_path) == before
    train(force=True)


@pytest.mark.parametrize(
    "name, way", [("metrics_epoch_1.json", "remove it to go on"), ("config.json", "--force trains anew")]
)
@pytest.mark.parametrize("text", ["", '{"a": 1, "b'])
def test_a_cut_file_is_named(name: str, way: str, text: str, train: Any, old: Path) -> None:
    (old / name).write_text(text)
    with pytest.raises(ConfigurationError, match=rf"{name}: damaged \(.*\); {way}"):
        train(recover=True)
