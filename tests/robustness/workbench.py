"""Where commands are run on malformed input: tiny models, good files, a process that outlives all of it."""

import faulthandler
import io
import json
import logging
import re
import shutil
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple

from allennlp.commands import main
from allennlp.common.port import run

from tests.conftest import build_model
from tests.robustness.bad_files import CONTENT

SECONDS = 60
"""What a command may take; all take a second or two."""

READERS: Dict[str, Dict[str, Any]] = {
    "p3_jsonl": {"type": "p3_jsonl"},
    "prompted_reader": {
        "type": "prompted_reader",
        "template": "{{text}} ?",
        "options": ["no", "yes"],
        "label": "label",
    },
}


class Hang(BaseException):
    """A command took too long. No `Exception`, so that none takes it for its own."""


class Result(NamedTuple):
    """What a command did."""

    status: int
    stdout: str
    stderr: str
    seen: str
    """`traceback` or `hang`, if it ended so, otherwise nothing."""

    @property
    def message(self) -> str:
        """What it says of why it stopped."""
        return re.split(r"(?m)^(?:\S+: )?error: ", self.stderr)[-1]


class Workbench:
    """
    # Parameters

    folder : `Path`
        Where the models, the archives and the good files are. Each case gets a folder of its own in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = str(build_model("t5", folder / "t5"))
        self.rows = str(folder / "good.jsonl")
        Path(self.rows).write_bytes(CONTENT[".jsonl"])
        self.archives = {reader: self._archive(reader) for reader in READERS}

    def reader(self, name: str) -> Dict[str, Any]:
        return {**READERS[name], "model_name": self.model}

    def training(self, reader: str) -> Dict[str, Any]:
        """A configuration that trains in a second."""
        return {
            "dataset_reader": self.reader(reader),
            "train_data_path": self.rows,
            "validation_data_path": self.rows,
            "vocabulary": {"type": "empty"},
            "model": {"type": "seq2seq", "model_name": self.model},
            "data_loader": {"batch_size": 4, "shuffle": True},
            "trainer": {
                "num_epochs": 1,
                "optimizer": {"type": "adam", "lr": 0.01},
                "cuda_device": -1,
                "enable_default_callbacks": False,
            },
        }

    def _archive(self, reader: str) -> str:
        config, out = self.folder / "good.json", self.folder / f"model_{reader}"
        config.write_text(json.dumps(self.training(reader)))
        result = self.run("train", config, "-s", out)
        if result.status:
            raise RuntimeError(f"the workbench cannot be set up: {result.stderr}")
        return str(out / "model.tar.gz")

    @contextmanager
    def place(self, number: int) -> Iterator[Path]:
        """A folder for one case, with nothing in it."""
        folder = self.folder / f"case_{number}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def run(self, *arguments: Any, seconds: int = SECONDS) -> Result:
        """`allennlp ARGUMENTS` in this process, as the console script does."""
        out, err = io.StringIO(), io.StringIO()
        seen, status = "", 0
        with _as_before(), _time_limit(seconds), redirect_stdout(out), redirect_stderr(err):
            sys.argv = ["allennlp", *map(str, arguments)]
            try:
                run(lambda: main(prog="allennlp"))
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
            except Hang:
                seen = "hang"
            except BaseException:
                seen = "traceback"
                traceback.print_exc()
        text = err.getvalue()
        return Result(status, out.getvalue(), text, seen or "traceback" * ("Traceback" in text))


@contextmanager
def _as_before() -> Iterator[None]:
    """What a command does to the process is undone; logging begins anew, so that a command's log goes to its stderr."""
    root, arguments = logging.root, sys.argv
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.argv = arguments


@contextmanager
def _time_limit(seconds: int) -> Iterator[None]:
    """A `Hang` is raised after so many; what does not come back to Python ends the process, and says where it was."""

    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    faulthandler.dump_traceback_later(4 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def lines(path: Path) -> List[Dict[str, Any]]:
    """The objects of a JSONL file that a command wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def logged(text: str, file: Path, what: str) -> int:
    """The sum of what a reader says of a file's rows."""
    return sum(map(int, re.findall(rf"{re.escape(str(file))}: (\d+) {what}", text)))
