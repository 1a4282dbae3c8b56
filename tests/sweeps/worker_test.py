import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any, Dict, List

import pytest
from allennlp.commands.subcommand import Subcommand
from allennlp.common import logging as common_logging
from allennlp.common.logging import prepare_global_logging

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.sweeps.run import Run
from attribution.sweeps.worker import Worker, recorded, without_dependents


class Say(ArtefactJob):
    def __init__(self, text: str) -> None:
        self.text = text

    def inputs(self) -> List[Path]:
        return []

    def run(self, directory: Path, engine: Engine) -> str:
        if not self.text:
            raise IndexError("nothing to say")
        (directory / "metrics.json").write_text(json.dumps({"length": len(self.text)}))
        return self.text


@Subcommand.register("tests-say")
class SayCommand(ArtefactCommand):
    job = Say
    summary = "Says something."


def _run(directory: Path, text: str, *needs: Path) -> Run:
    made_of: Dict[str, Any] = {"command": "tests-say", "configuration": {"text": text}, "steps": {}}
    return Run("say", directory, made_of, {}, needs)


def test_a_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two, three, four = (tmp_path / name for name in ("one", "two", "three", "four"))
    chain = [_run(one, "hello"), _run(two, "", one), _run(three, "x", two), _run(four, "y", one)]
    failures = Worker(force=False)(chain)
    assert failures == {two: "IndexError: nothing to say"}
    assert [path.name for path in sorted(tmp_path.iterdir()) if path.is_dir() and path.name[0] != "."] == [
        "four",
        "one",
    ]
    assert (one / "out.log").read_text().endswith("one: hello\n") and chain[0].is_finished()
    assert "Traceback" in (tmp_path / "two.log").read_text()
    assert capsys.readouterr() == ("", "")
    (one / "step.json").unlink()  # As a kill just before the end leaves it.
    assert Worker(force=False)(chain[:1]) == {} and "finished already" in (one / "out.log").read_text()


def test_what_needs_a_failed_run_is_left_out(tmp_path: Path) -> None:
    names = [Path(name) for name in "abcd"]
    runs = [_run(names[0], "x"), _run(names[1], "x", names[0]), _run(names[2], "x", names[1]), _run(names[3], "x")]
    assert list(without_dependents(runs, {})) == runs
    assert list(without_dependents(runs, {names[0]: "failed"})) == [runs[0], runs[3]]


def test_all_is_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    params = logging.getLogger("allennlp.common.params")
    params.disabled = False  # AllenNLP's `evaluate` turns it off for the rest of a process.
    terminal = logging.StreamHandler(sys.stderr)
    params.addHandler(terminal)

    def state() -> Any:
        root = logging.root
        loggers = (root.level, root.handlers[:], params.disabled, params.level, terminal.stream, sys.stdout, sys.stderr)
        return loggers, sys.excepthook, dict(os.environ), warnings.filters[:], common_logging.FILE_FRIENDLY_LOGGING

    before = state()
    try:
        with recorded(tmp_path / "log"):
            print("printed")
            params.error("logged")
            prepare_global_logging(tmp_path)
            params.disabled = True
            params.setLevel(logging.CRITICAL)
            os.environ["A_NEW_VARIABLE"] = "x"
            warnings.simplefilter("ignore")
            files = [handler for handler in logging.root.handlers if isinstance(handler, logging.FileHandler)]
            raise KeyError
    except KeyError:
        pass
    finally:
        params.removeHandler(terminal)
    params.addHandler(terminal)
    assert state() == before and files[0].stream is None
    params.removeHandler(terminal)
    assert (tmp_path / "log").read_text().startswith("printed\nlogged\n") and capsys.readouterr() == ("", "")


def test_a_terminal_that_somebody_closed_is_left_alone(tmp_path: Path) -> None:
    logger, closed = logging.getLogger("closed"), logging.StreamHandler((tmp_path / "terminal").open("w"))
    closed.stream.close()
    logger.addHandler(closed)
    try:
        with recorded(tmp_path / "log"):
            print("printed")
    finally:
        logger.removeHandler(closed)
    assert (tmp_path / "log").read_text() == "printed\n"


def test_a_library_that_comes_meanwhile_logs_to_the_terminal_afterwards(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """As sentence-transformers does, whose logger kept the closed log of the step that imported it."""
    with recorded(tmp_path / "first"):
        library = logging.getLogger("tests.a_library_of_the_first_step")
        library.propagate = False
        library.addHandler(logging.StreamHandler())
        library.error("first")
    with recorded(tmp_path / "second"):
        library.error("second")
    library.error("after")
    library.handlers.clear()
    assert [(tmp_path / name).read_text() for name in ("first", "second")] == ["first\n", "second\n"]
    assert capsys.readouterr().err == "after\n"
