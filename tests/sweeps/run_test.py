import json
from pathlib import Path
from typing import Any, List

import pytest
from allennlp.common.checks import ConfigurationError

from attribution.sweeps.run import STEP, Run, check_finished, levels, outdated


def _run(place: str, *needs: str, **made_of: Any) -> Run:
    step, name = place.split("/")
    return Run(step, Path(place), {"command": "train", **made_of}, {}, tuple(map(Path, needs)))


def _names(runs: Any) -> List[Any]:
    return [_names(run) if isinstance(run, list) else str(run.directory) for run in runs]


def test_levels() -> None:
    runs = [
        _run("pool/all"),
        _run("rows/S=1", "pool/all"),
        _run("model/A=x,S=1", "rows/S=1"),
        _run("test/A=x,S=1", "model/A=x,S=1"),
        _run("other/A=x,S=1", "model/A=x,S=1", "pool/all"),
        _run("model/A=y,S=1", "rows/S=1"),
        _run("test/A=y,S=1", "model/A=y,S=1"),
        _run("model/A=n,S=1"),
    ]
    assert _names(levels(runs)) == [
        [["pool/all"], ["model/A=n,S=1"]],
        [["rows/S=1"]],
        [["model/A=x,S=1", "test/A=x,S=1", "other/A=x,S=1"], ["model/A=y,S=1", "test/A=y,S=1"]],
    ]
    # What is there already is no reason to wait.
    assert _names(levels(runs[2:4])) == [[["model/A=x,S=1", "test/A=x,S=1"]]]
    # Two that are made beside each other, and one that needs both.
    both = [_run("a/S=1"), _run("b/S=1"), _run("c/S=1", "a/S=1", "b/S=1")]
    assert _names(levels(both)) == [[["a/S=1"], ["b/S=1"]], [["c/S=1"]]]
    assert levels([]) == []


def test_what_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = _run("model/S=1", configuration={"lr": 1})._replace(environment={"LR": "1"})
    assert not one.is_finished() and one.difference() == ""
    one.directory.mkdir(parents=True)
    one.finish()
    assert one.is_finished() and one.difference() == ""
    assert json.loads((one.directory / STEP).read_text())["environment"] == {"LR": "1"}
    assert one._replace(environment={}).difference() == ""  # Only the configuration that was read with it matters.
    other = _run("model/S=1", configuration={"lr": 2})
    assert other.difference() == "configuration.lr is 1 there and 2 here"
    assert one.fingerprint() != other.fingerprint() == other._replace(directory=Path("else")).fingerprint()
    with pytest.raises(ConfigurationError, match="model/S=1 was made from something else: configuration.lr.*--force"):
        check_finished([other])
    check_finished([one])
    test, alone = _run("test/S=1", "model/S=1"), _run("test/S=2", "model/S=2")
    assert _names(outdated([other, test, alone])) == ["model/S=1", "test/S=1"] and outdated([one, test]) == []
    one.discard()
    assert list(Path("model").iterdir()) == []
    one.discard()
    Path("model/.S=1.old").mkdir()  # The process that discarded it was killed.
    one.finish_discarding()
    assert list(Path("model").iterdir()) == []


def test_what_a_killed_process_was_writing_is_no_part_of_it(tmp_path: Path) -> None:
    run = _run("model/S=1")._replace(directory=tmp_path / "S=1")
    run.directory.mkdir()
    (run.directory / "metrics.json").write_text("{}")
    (run.directory / f"{STEP}.part").write_text("{")
    run.finish()
    assert run.is_finished() and run.damage() is None


def test_what_is_damaged(tmp_path: Path) -> None:
    run = _run("model/S=1")._replace(directory=tmp_path)
    assert run.damage() is None
    for name in ("metrics.json", "model.tar.gz", "best.th", "out.log"):
        (tmp_path / name).write_text("x")
    run.finish()
    for name in ("best.th", "out.log"):
        (tmp_path / name).unlink()
    assert run.damage() is None and run.difference() == ""
    (tmp_path / "model.tar.gz").write_text("y")
    assert str(run.damage()) == "model.tar.gz has other content than was written"
    (tmp_path / "metrics.json").unlink()
    assert str(run.damage()) == "metrics.json is missing"


def test_a_damaged_mark(tmp_path: Path) -> None:
    run = _run("model/S=1")._replace(directory=tmp_path)
    run.finish()
    whole = (tmp_path / STEP).read_text()
    (tmp_path / STEP).write_text("{")
    with pytest.raises(ConfigurationError, match=f"{STEP}: missing or damaged .* remove {tmp_path}, or make all"):
        run.difference()
    for content in (
        "null",
        "[]",
        "{}",
        whole.replace("train", "trust"),
        whole.replace('"outputs": {', '"outputs": {"x": 1'),
    ):
        (tmp_path / STEP).write_text(content)
        with pytest.raises(
            ConfigurationError, match=f"{STEP}: not what is written there; remove {tmp_path}, or make all"
        ):
            check_finished([run])
        assert outdated([run]) == [run]


def test_a_folder_in_the_place_of_a_mark(tmp_path: Path) -> None:
    run = _run("model/S=1")._replace(directory=tmp_path)
    (tmp_path / STEP).mkdir()
    with pytest.raises(ConfigurationError, match=f"{STEP}: missing or damaged .* remove {tmp_path}, or make all"):
        check_finished([run])
