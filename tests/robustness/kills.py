"""
Kills before each file operation of a command, in forks of one process that has loaded everything: afterwards the same
command must give the same bytes, as if nothing had happened, and leave nothing else.
"""

import hashlib
import importlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import traceback
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence

from allennlp import commands
from allennlp.common.plugins import import_plugins
from allennlp.common.port import run

from attribution.common.manifest import damage, is_sealed
from attribution.sweeps.run import STEP

KILLED = 137
_CHANGES = {
    "os.rename": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
    "sqlite3.connect": 1,
}
"""Events of the interpreter by which files change, and how many of their first arguments are paths."""
_OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Of the machine and the moment, and no part of what was worked out.
_LOGS = re.compile(r"out\.log|.*\.log|events\.out\.tfevents.*|\.lock")
_OF_THE_MOMENT = re.compile(r".*(memory_MB|duration)$|(training_)?(start_epoch|epochs)$")


class Command(NamedTuple):
    """A command line, and the one that goes on after a kill, where that is another."""

    arguments: Sequence[str]
    again: Optional[Sequence[str]] = None


class Died(NamedTuple):
    """What a fork did."""

    status: int
    text: str
    operations: List[str]
    """What it was about to do to files, in order; the last one it did not do if it was killed."""


class Place:
    """
    A folder in which each try of a command finds the same files.

    # Parameters

    folder : `Path`
        Where to work. Everything in it is part of what a command must find and leave.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._start = folder.with_name(f"{folder.name}_start")
        import_plugins()

    def keep(self) -> None:
        """What is there now is what each try begins with."""
        shutil.rmtree(self._start, ignore_errors=True)
        shutil.copytree(self.folder, self._start, symlinks=True)

    def begin(self) -> None:
        """As it was kept, with the same times: what is made from a file's time does not change."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._start, self.folder, symlinks=True)

    def run(self, arguments: Sequence[str], kill_before: int = -1) -> Died:
        """
        `allennlp ARGUMENTS` in a fork.

        # Parameters

        kill_before : `int`, optional (default = none)
            The file operation, counted from 0, before which the process ends as if it had been killed.
        """
        log = self.folder.with_name(f"{self.folder.name}_operations")
        log.write_text("")
        child = os.fork()
        if child == 0:
            _in_a_fork(arguments, self.folder, log, kill_before)
        _, status = os.waitpid(child, 0)
        operations, _, rest = log.read_text(encoding="utf-8", errors="replace").partition("\0")
        modules, _, text = rest.partition("\0")
        _load(modules.split())
        return Died(os.waitstatus_to_exitcode(status), text, operations.splitlines())

    def left(self) -> Dict[str, str]:
        """What is there now."""
        return digests(self.folder)


def digests(folder: Path) -> Dict[str, str]:
    """Each file with a digest of what is in it that does not depend on the machine or the moment."""
    return {
        str(path.relative_to(folder)): _digest(path)
        for path in sorted(folder.rglob("*"))
        if not _LOGS.fullmatch(path.name)
    }


def wrong_after_kills(place: Place, command: Command, every: int = 1, first: int = 0) -> Iterator[str]:
    """
    Tries `command` with a kill before each `every`-th operation from the `first` on, and yields what is wrong after
    the command that goes on: a message, other bytes, leftovers.
    """
    place.begin()
    whole = place.run(command.arguments)
    if whole.status:
        raise RuntimeError(f"{command.arguments} does not work undisturbed: {whole.text}")
    wanted = place.left()
    for number in range(first, len(whole.operations), every):
        place.begin()
        killed = place.run(command.arguments, number)
        where = f"killed before {number} of {len(whole.operations)}, {killed.operations[-1:]}"
        if killed.status != KILLED:
            yield f"{where}: status {killed.status} in place of a kill: {killed.text[-2000:]}"
            continue
        again = place.run(command.again or command.arguments)
        if again.status and command.again:  # Nothing to go on with yet.
            again = place.run(command.arguments)
        if again.status:
            yield f"{where}: status {again.status}: {again.text[-2000:]}"
            continue
        got = place.left()
        different = sorted(name for name in {*wanted, *got} if wanted.get(name) != got.get(name))
        if different:
            yield f"{where}: {', '.join(different)} differ: {again.text[-500:]}"


def _load(modules: Sequence[str]) -> None:
    """What one fork has imported the next ones find loaded."""
    for name in modules:
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)


def _in_a_fork(arguments: Sequence[str], folder: Path, log: Path, kill_before: int) -> None:
    """Never returns."""
    out = io.StringIO()
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    status = 1
    try:
        os.chdir(folder)
        sys.addaudithook(_hook(str(folder), descriptor, kill_before))
        sys.argv = ["allennlp", *arguments]
        commands.import_plugins = lambda: None  # They are there, and to look for each again takes a second.
        with redirect_stdout(out), redirect_stderr(out):
            run(lambda: commands.main(prog="allennlp"))
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        out.write(traceback.format_exc())
        status = 70
    finally:
        said = "\0".join(["", " ".join(sys.modules), out.getvalue()])
        os.write(descriptor, said.encode("utf-8", "replace"))
        os._exit(status)


def _hook(folder: str, log: int, kill_before: int) -> Callable[[str, Any], None]:
    process = os.getpid()
    done = 0

    def count(event: str, arguments: Any) -> None:
        nonlocal done
        if event == "open":
            path, _, flags = arguments
            paths = [path] if isinstance(flags, int) and flags & _OPEN_TO_WRITE else []
        elif event in _CHANGES:
            paths = list(arguments[: _CHANGES[event]])
        else:
            return
        if os.getpid() != process or not any(_is_in(path, folder) for path in paths):
            return
        os.write(log, f"{event} {paths[-1]}\n".encode("utf-8", "replace"))
        if done == kill_before:
            os._exit(KILLED)  # As SIGKILL: nothing is flushed, no `finally` is done.
        done += 1

    return count


def _is_in(path: Any, folder: str) -> bool:
    if isinstance(path, int) or path is None:  # `rmtree` names files within an open folder.
        return False
    text = os.path.abspath(os.fsdecode(path))
    # A bare name may be one within an open folder that is being removed.
    return text == folder or text.startswith(folder + os.sep)


def _digest(path: Path) -> str:
    if path.is_dir():
        return "folder"
    if path.name == STEP:
        return _of_step(path)
    if path.suffix == ".json":
        return _of_json(path.read_bytes())
    if path.suffix == ".gz" and tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            members = {
                member.name: _of_member(member.name, tar.extractfile(member)) for member in tar if member.isfile()
            }
        return json.dumps(members, sort_keys=True)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _of_step(path: Path) -> str:
    """Its digests are of how long a training took, too; that they are right is all that can be said of them."""
    document = json.loads(path.read_bytes())
    is_right = [is_sealed(document), str(damage(path.parent, document["outputs"], thorough=True))]
    outputs = document.pop("outputs")
    return json.dumps([document, sorted(outputs), is_right], sort_keys=True)


def _of_member(name: str, file: Any) -> str:
    content = file.read()
    return _of_json(content) if name.endswith(".json") else hashlib.sha256(content).hexdigest()


def _of_json(content: bytes) -> str:
    try:
        document = json.loads(content)
    except ValueError:
        return f"damaged: {content[:100]!r}"
    if isinstance(document, dict):
        document = {key: value for key, value in document.items() if not _OF_THE_MOMENT.fullmatch(key)}
    return json.dumps(document, sort_keys=True)
