"""A disk that fills up, at several places of each command: one message that says so, and then the same result."""

import json
import resource
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import pytest
import torch
from allennlp.common.port import users_mistake

from attribution.common.manifest import write_json
from attribution.common.tables import write_table
from attribution.modules.delta.delta_folder import write_delta
from tests.robustness.bad_files import CONTENT
from tests.robustness.kills import Place
from tests.robustness.kills_test import models, place, prepared
from tests.robustness.tiny_commands import COMMANDS, Models, sweep, training

__all__ = ["models", "place"]

ROOM = 1 << 16
"""Kilobytes that no command needs."""


@pytest.fixture
def disk(place: Place) -> Iterator[Callable[[int], None]]:  # noqa: F811
    """Kilobytes -> the folder `disk` of the place is a disk of so many, with what was there."""
    folder = place.folder / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"to mount a small disk wants rights: {mounted.stderr.decode().strip()}")

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}k", folder], check=True)

    yield resize
    subprocess.run(["umount", folder], check=True)


def _check(place: Place, arguments: List[str], again: List[str], disk: Callable[[int], None], sizes: List[int]) -> None:  # noqa: F811
    folder = place.folder / "disk"
    whole = place.run(arguments)
    assert whole.status == 0, whole.text
    wanted = _on(place)
    full = 0
    for size in sizes:
        subprocess.run(["rm", "-rf", *folder.iterdir()], check=True)
        disk(size)
        result = place.run(arguments)
        message = result.text.rsplit("error: ", 1)[-1]
        assert result.status in (0, 1) and "Traceback" not in result.text, (size, result.text)
        if result.status:
            full += 1
            assert "the disk is full (No space left on device" in message and "disk/" in message, (size, message)
        disk(ROOM)
        result = place.run(again)
        if result.status:
            result = place.run(arguments)
        assert result.status == 0, (size, result.text)
        assert _on(place) == wanted, size
    assert full


def _on(place: Place) -> Dict[str, str]:  # noqa: F811
    return {name: content for name, content in place.left().items() if name.startswith("disk/")}


WRITERS: Dict[str, Callable[[Path], Any]] = {
    "file.json": lambda path: write_json(path, "x" * ROOM),
    "file.csv": lambda path: write_table(path, [["x" * ROOM]]),
    "adapter_model.safetensors": lambda path: write_delta(path.parent, {}, {"x": torch.ones(ROOM)}),
    "adapter_config.json": lambda path: write_delta(path.parent, {"x": "x" * ROOM}, {}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_each_writer_names_its_file_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    """Of a file that may not grow the system says the same as of a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    (tmp_path / name).write_text("old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError) as raised:
            WRITERS[name](tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(users_mistake(raised.value)).startswith(f"{tmp_path / name}: the disk is full (")
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command(name: str, place: Place, models: Models, disk: Callable[[int], None]) -> None:  # noqa: F811
    arguments = [*prepared(name, False, place, models).arguments[:-2], "-s", "disk/out"]
    _check(place, arguments, arguments, disk, [4, 8, 16, 40, 100])


def _training(place: Place, models: Models) -> List[str]:  # noqa: F811
    (place.folder / "rows.jsonl").write_bytes(CONTENT[".jsonl"])
    (place.folder / "new.json").write_text(json.dumps(training(models.t5)))
    return ["train", "new.json", "-s", "disk/run"]


@pytest.mark.slow
def test_a_training(place: Place, models: Models, disk: Callable[[int], None]) -> None:  # noqa: F811
    arguments = _training(place, models)
    _check(place, arguments, [*arguments, "--recover"], disk, [4, 16, 40, 60, 80, 100, 120, 140, 160])


@pytest.mark.slow
def test_a_sweep(place: Place, models: Models, disk: Callable[[int], None]) -> None:  # noqa: F811
    arguments = [*sweep(place.folder, models), "-s", "disk/out"]
    _check(place, arguments, arguments, disk, [4, 16, 40, 80, 120, 160, 200, 240])


def test_what_writes_one_file(place: Place, models: Models, disk: Callable[[int], None]) -> None:  # noqa: F811
    arguments = _training(place, models)
    arguments[-1] = "run"
    assert place.run(arguments).status == 0
    for command in (
        ["predict", "run/model.tar.gz", "rows.jsonl", "--silent", "--output-file", "disk/out"],
        ["evaluate", "run/model.tar.gz", "rows.jsonl", "--predictions-output-file", "disk/out"],
        ["evaluate", "run/model.tar.gz", "rows.jsonl", "--output-file", "disk/out"],
    ):
        disk(4)
        Path(place.folder / "disk" / "filler").write_bytes(bytes(4096))
        result = place.run(command)
        assert result.status == 1 and "Traceback" not in result.text, result.text
        assert "disk/out: the disk is full (No space left on device" in result.text, result.text
        assert [path.name for path in (place.folder / "disk").iterdir()] == ["filler"]
        disk(ROOM)
        assert place.run(command).status == 0
        (place.folder / "disk" / "out").unlink()
