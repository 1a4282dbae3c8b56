import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest

from tests.sweeps.conftest import sweep_config  # noqa: F401


@pytest.fixture
def run_and_kill() -> Callable[..., None]:
    """Runs `allennlp ARGUMENTS` in a process of its own, and kills it (-9) as soon as `when()` is true."""

    def run(arguments: Sequence[Any], when: Callable[[], Any]) -> None:
        code = (
            "import sys; from tests.retrievers import conftest; from allennlp.commands import main; "
            "sys.argv = ['allennlp', *sys.argv[1:]]; main(prog='allennlp')"
        )
        command = [sys.executable, "-c", code, *map(str, arguments), "--include-package", "attribution"]
        root = Path(__file__).parents[2]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.time() + 120
        while not when() and process.poll() is None and time.time() < deadline:
            time.sleep(0.02)
        alive = process.poll() is None
        os.kill(process.pid, signal.SIGKILL) if alive else None
        _, errors = process.communicate()
        assert alive, errors.decode()

    return run
