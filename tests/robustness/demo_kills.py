"""
`make demo`, killed again and again, ends as if it had not been: `python -m tests.robustness.demo_kills`. It takes about
half an hour on two cores, and is no part of the tests.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Timer
from typing import Dict, List, Optional

from tests.robustness.kills import digests

ROOT = Path(__file__).parents[2]
FETCHED = ROOT / ".cache" / "demo" / "packages"
STEP = ("== ", "writing ")
"""How a line begins by which the demo says what it does next."""


def finished(folder: Path, moments: Dict[str, List[float]]) -> Optional[Dict[str, float]]:
    """
    `make demo` in a folder; returns how many seconds each step took, or nothing if it was killed.

    # Parameters

    moments : `Dict[str, List[float]]`
        By a step after how many seconds of it all processes of the demo are killed; the first is taken away if that was
        done.
    """
    cache = folder / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "demo").exists():
        (cache / "demo").mkdir()
        (cache / "demo" / "packages").symlink_to(FETCHED)
    command = ["make", "--no-print-directory", "demo", f"CACHE={cache}", f"DEMO_RUNS={folder / 'runs'}"]
    with open(folder.with_name("log"), "a") as log:
        demo = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    seconds: Dict[str, float] = {}
    step, begun, timer = "", time.monotonic(), Timer(0, int)
    assert demo.stdout is not None
    try:
        for line in demo.stdout:
            if line.startswith(STEP):
                timer.cancel()
                if step:
                    seconds[step] = time.monotonic() - begun
                step, begun = line.strip(), time.monotonic()
                if moments.get(step):
                    timer = Timer(moments[step][0], os.killpg, (demo.pid, signal.SIGKILL))
                    timer.start()
        status = demo.wait()
    except KeyboardInterrupt:
        os.killpg(demo.pid, signal.SIGKILL)
        raise
    finally:
        timer.cancel()
    if status == -signal.SIGKILL:
        print(f"killed after {moments[step].pop(0):.1f} s of: {step}", flush=True)
        return None
    if status:
        sys.exit(f"the demo ends with {status} in: {step}; see {folder.with_name('log')}")
    return {**seconds, step: time.monotonic() - begun}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    settings = parser.parse_args()
    generator = random.Random(settings.seed)
    FETCHED.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="demo_kills_")) / "demo"
    start = time.monotonic()
    seconds = finished(folder, {}) or {}
    wanted, table = digests(folder), (folder / "runs" / "report.md").read_text()
    print(f"{table}undisturbed: {len(seconds)} steps, {time.monotonic() - start:.0f} s", flush=True)
    done, wrong = 0, 0
    while done < settings.kills:
        shutil.rmtree(folder)
        drawn = [generator.choice(list(seconds)) for _ in range(settings.kills - done)]
        moments = {step: [generator.uniform(0, seconds[step]) for _ in range(drawn.count(step))] for step in seconds}
        while finished(folder, moments) is None:
            pass
        done += len(drawn) - sum(map(len, moments.values()))
        got = digests(folder)
        different = sorted(name for name in {*wanted, *got} if wanted.get(name) != got.get(name))
        same = (folder / "runs" / "report.md").read_text() == table
        wrong += bool(different) or not same
        files = ", ".join(different) or "no file"
        print(f"{done} kills: {'the same' if same else 'ANOTHER'} table; {files} of {len(wanted)} differs", flush=True)
    print(f"{done} kills, {time.monotonic() - start:.0f} s, {wrong} of the runs wrong")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
