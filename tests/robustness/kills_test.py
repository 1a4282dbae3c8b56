"""Every command, killed before file operations, ends after the same command again as if it had not been."""

import json
import shutil
from pathlib import Path
from typing import List

import pytest

from tests.robustness.bad_files import CONTENT
from tests.robustness.kills import KILLED, Command, Place, wrong_after_kills
from tests.robustness.tiny_commands import BEFORE, COMMANDS, Models, select, sweep, training

TRAIN = ["train", "new.json", "-s", "run"]
SAMPLE = 7
"""In CI each so many-th operation, another one first for each command."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "work").mkdir()
    return Place(tmp_path / "work")


def made(place: Place, arguments: List[str]) -> None:
    result = place.run(arguments)
    assert result.status == 0, result.text


def prepared(name: str, over: bool, place: Place, models: Models) -> Command:
    """A command in its place, over the product of another one or over nothing."""
    if name in BEFORE:
        made(place, BEFORE[name](place.folder, models))
    if over:
        made(place, [*select(place.folder, models), "-s", "out"])
    arguments = COMMANDS[name](place.folder, models)
    place.keep()
    return Command([*arguments, "-s", "out", *(["--force"] if over else [])])


@pytest.mark.slow
@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_kill_of_a_command(name: str, over: bool, place: Place, models: Models) -> None:
    assert list(wrong_after_kills(place, prepared(name, over, place, models))) == []


@pytest.mark.parametrize("name", ["build-pool", "embed", "retrieve", "select"])
def test_some_kills_of_a_command(name: str, place: Place, models: Models) -> None:
    command = prepared(name, True, place, models)
    assert list(wrong_after_kills(place, command, every=SAMPLE, first=len(name) % SAMPLE)) == []


def _training(over: str, place: Place, models: Models) -> Command:
    (place.folder / "rows.jsonl").write_bytes(CONTENT[".jsonl"])
    (place.folder / "new.json").write_text(json.dumps(training(models.t5)))
    command = [*TRAIN]
    if over:
        old = training(models.t5, random_seed=5 if over == "another" else 13370)
        (place.folder / "old.json").write_text(json.dumps(old))
        made(place, ["train", "old.json", "-s", "run"])
        command.append("--force")
    place.keep()
    return Command(command, [*TRAIN, "--recover"])


@pytest.mark.slow
@pytest.mark.parametrize("over", ["", "another"])
def test_every_kill_of_a_training(over: str, place: Place, models: Models) -> None:
    assert list(wrong_after_kills(place, _training(over, place, models))) == []


@pytest.mark.slow
def test_every_kill_of_a_training_that_goes_on(place: Place, models: Models) -> None:
    plain = _training("", place, models)
    whole = place.run(plain.arguments)
    middle = next(number for number, done in enumerate(whole.operations) if "metrics_epoch_1" in done)
    wanted = place.left()
    place.begin()
    assert place.run(plain.arguments, middle).status == KILLED
    place.keep()
    assert list(wrong_after_kills(place, Command([*TRAIN, "--recover"]))) == []
    place.begin()
    made(place, [*TRAIN, "--recover"])
    assert place.left() == wanted


def test_what_a_training_writes_appears_whole(place: Place, models: Models) -> None:
    result = place.run(_training("", place, models).arguments)
    assert result.status == 0, result.text
    opened = {Path(done.split()[1]).name for done in result.operations if done.startswith("open")}
    assert {name for name in opened if not name.endswith(".part")} == {"out.log", ".lock"}
    assert {"config.json.part", "metrics_epoch_0.json.part", "best.th.part", "model.tar.gz.part"} - opened == {
        "best.th.part"  # A second name of the checkpoint.
    }


def test_some_kills_of_a_training(place: Place, models: Models) -> None:
    assert list(wrong_after_kills(place, _training("another", place, models), every=13, first=3)) == []


@pytest.mark.slow
@pytest.mark.parametrize("over", [False, True])
def test_every_kill_of_a_sweep(over: bool, place: Place, models: Models) -> None:
    arguments = [*sweep(place.folder, models), "-s", "out"]
    if over:
        made(place, arguments)
        arguments += [
            "--force",
            "-o",
            json.dumps({"axes.SEED": [2], "steps.test.input": f"{place.folder}/other.jsonl"}),
        ]
        shutil.copy(place.folder / "rows.jsonl", place.folder / "other.jsonl")
    place.keep()
    assert list(wrong_after_kills(place, Command(arguments))) == []


def test_a_sweep_that_is_killed_as_it_begins(place: Place, models: Models) -> None:
    arguments = [*sweep(place.folder, models), "-s", "out"]
    place.keep()
    assert place.run(arguments, 3).status == KILLED  # The rename of the first file.
    assert [path.name for path in (place.folder / "out").iterdir()] == ["sweep.json.part"]
    made(place, arguments)


def test_what_kills_would_find(place: Place, models: Models) -> None:
    """A kill is one, and what it leaves is seen."""
    arguments = [*select(place.folder, models), "-s", "out"]
    place.keep()
    whole = place.run(arguments)
    assert whole.status == 0 and any("os.rename" in done for done in whole.operations)
    wanted = place.left()
    place.begin()
    assert place.left() != wanted and "out/manifest.json" in wanted
    killed = place.run(arguments, 3)
    assert killed.status == KILLED and killed.operations == whole.operations[:4]
    assert place.left() not in (wanted, {})
    never_again = Command(arguments, ["select", "nowhere.json", "-s", "out"])
    assert list(wrong_after_kills(place, never_again, every=4, first=3)) == []  # The command itself, then.
    (place.folder / "selected.part").write_text("left")
    assert place.left() != wanted
