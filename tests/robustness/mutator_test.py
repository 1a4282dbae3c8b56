"""The mutator finds nothing bad, and would find what is."""

import functools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import numpy as np
import pytest

from tests.robustness import mutator
from tests.robustness.mutations import FIFO, FOLDER, MISSING, Mutation, mutated, write
from tests.robustness.mutator import Case, Job, Range
from tests.robustness.workbench import Result

SAMPLE = 30


def _run(cases: int) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: it changes directories, and is forked."""
    command = [sys.executable, "-m", "tests.robustness.mutator", "--cases", str(cases)]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)


def test_a_sample() -> None:
    done = _run(SAMPLE)
    assert done.returncode == 0 and f"{SAMPLE} cases, 0 bad" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_twenty_thousand() -> None:
    done = _run(20_000)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with good files, and no models."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "other").touch()
    (tmp_path / "good" / "rows.jsonl").write_text('{"a": 1}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


class _Bench:
    """A command that does as it is told."""

    def __init__(self, *results: Any) -> None:
        self.results: List[Any] = list(results)

    def run(self, *arguments: Any, seconds: int = 0) -> Result:
        result, leaves = self.results.pop(0)
        for name in leaves:
            Path(name).touch()
        return result


_REFUSAL = Result(1, "", "error: rows.jsonl: bad", "")
_WHOLE = Result(0, "", "", "")


@pytest.mark.parametrize(
    "results, kind",
    [
        ([(_REFUSAL, []), (_WHOLE, ["out"])], mutator.REFUSED),
        ([(_WHOLE, ["out"])], mutator.PRETENDED),
        ([(_REFUSAL, ["x"])], mutator.LEFTOVERS),
        ([(_WHOLE, ["out.part"])], mutator.LEFTOVERS),
        ([(_REFUSAL, ["other"]), (_REFUSAL, [])], mutator.BLOCKED),
        ([(Result(1, "", "error: bad", ""), [])], mutator.NAMELESS),
        ([(Result(2, "", "error: rows.jsonl", ""), [])], mutator.STATUS),
        ([(Result(0, "", "Traceback", "traceback"), [])], mutator.TRACEBACK),
        ([(Result(0, "", "", "hang"), [])], mutator.HANG),
        ([], mutator.DIED),
    ],
)
def test_what_is_bad(results: Any, kind: str, place: Path) -> None:
    there = Range.__new__(Range)
    there.folder, there.good = place, place / "good"
    there.bench = _Bench(*results)  # type: ignore[assignment]
    there.jobs, there.products = {"some": Job(("some",), ("rows.jsonl",), place="")}, {"some": {}}
    case = Case("some", "rows.jsonl", Mutation("missing", MISSING, must_stop=True))
    assert [(tried, outcome.kind) for tried, outcome in there.outcomes([case])] == [(case, kind)]
    assert [path.name for path in place.iterdir()] == ["good"]


def test_the_outcomes_are_the_same_whatever_the_workers(place: Path) -> None:
    there = Range.__new__(Range)
    there.folder, there.good = place, place / "good"
    there.bench = _Bench(*[(_REFUSAL, [])] * 50)  # type: ignore[assignment]
    there.bench.run = functools.partial(_dies_of, "13", there.bench.run)  # type: ignore[method-assign]
    there.jobs = {"some": Job(("some",), ("rows.jsonl",), place="")}
    cases = [Case("some", "rows.jsonl", Mutation(str(n), str(n).encode())) for n in range(50)]
    outcomes = [list(there.outcomes(cases, workers)) for workers in (1, 3)]
    assert outcomes[0] == outcomes[1] and [case for case, _ in outcomes[0]] == cases
    assert [case.mutation.what for case, outcome in outcomes[0] if outcome.kind == mutator.DIED] == ["13"]


def _dies_of(content: str, run: Any, *arguments: Any, **settings: Any) -> Result:
    if Path("rows.jsonl").read_text() == content:
        os._exit(3)
    return run(*arguments, **settings)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.npy", "a.npz", "a.safetensors", "a.txt"])
def test_mutations_are_changes_and_the_same_for_a_seed(name: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    path = tmp_path / name
    makers = {
        ".json": lambda: path.write_text(json.dumps({"a": [1, {"b": "x"}]})),
        ".jsonl": lambda: path.write_text('{"a": 1}\n{"a": 2}\n'),
        ".npy": lambda: np.save(path, np.arange(4.0)),
        ".npz": lambda: np.savez(path, a=np.arange(4.0), b=np.array(["x"])),
        ".safetensors": lambda: save_file({"a": torch.ones(2)}, path),
        ".txt": lambda: path.write_text("some text"),
    }
    makers[path.suffix]()
    good = path.read_bytes()
    made = [mutated(name, good, random.Random(seed)) for seed in range(60)]
    assert made == [mutated(name, good, random.Random(seed)) for seed in range(60)]
    assert len({one.what for one in made}) > 3 and sum(one.content != good for one in made) > 50


@pytest.mark.parametrize("content, kind", [(MISSING, "exists"), (FOLDER, "is_dir"), (FIFO, "is_fifo")])
def test_what_is_in_the_place_of_a_file(content: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    write(path, Mutation(content, content))
    assert getattr(path, kind)() is (content != MISSING)
