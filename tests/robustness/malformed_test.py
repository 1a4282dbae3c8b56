"""The script finds nothing bad, and would find what is."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.robustness import malformed
from tests.robustness.bad_files import FILES, GOOD, ROWS, BadFile, held
from tests.robustness.malformed import COMMANDS, Case, cases, judged, tried
from tests.robustness.workbench import Result, Workbench

SAMPLE = 10


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(tmp_path_factory.mktemp("workbench"))


def _bad(count: int, seed: int, bench: Workbench) -> Any:
    outcomes = [(str(case), tried(case, bench, number)) for number, case in enumerate(cases(count, seed, bench))]
    assert len(outcomes) == count
    return [(case, outcome) for case, outcome in outcomes if outcome.kind not in malformed.GOOD]


def test_a_sample(bench: Workbench) -> None:
    assert _bad(SAMPLE, 0, bench) == []


@pytest.mark.slow
def test_three_hundred(bench: Workbench) -> None:
    assert _bad(300, 0, bench) == []


def test_the_cases_are_the_same_for_a_seed(bench: Workbench) -> None:
    chosen = [list(map(str, cases(300, seed, bench))) for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]
    assert len(set(chosen[0])) == 300
    assert [sum(case.startswith(command) for case in chosen[0]) for command in COMMANDS] == [60] * 5


def test_good_rows_are_counted(tmp_path: Path) -> None:
    for kind in FILES:
        if kind.sound:
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}{kind.ending}"
            kind.write(path)
            assert held(kind, path) == ROWS == len(GOOD), kind.name


@pytest.mark.parametrize(
    "status, stderr, seen, left, kind",
    [
        (1, "error: rows_given.csv: bad", "", [], malformed.REFUSED),
        (1, "error: bad", "", [], malformed.NAMELESS),
        (1, "error: rows_given.csv: bad", "", ["out"], malformed.LEFTOVERS),
        (0, "", "", ["out", "out.part"], malformed.LEFTOVERS),
        (2, "error: rows_given.csv", "", [], malformed.STATUS),
        (0, "Traceback (most recent call last)", "traceback", [], malformed.TRACEBACK),
        (0, "", "hang", [], malformed.HANG),
    ],
)
def test_what_is_bad(status: int, stderr: str, seen: str, left: Any, kind: str, tmp_path: Path) -> None:
    for name in left:
        (tmp_path / name).touch()
    case = Case("predict", "p3_jsonl", BadFile("some", ".csv", Path.touch))
    assert judged(case, Result(status, "", stderr, seen), tmp_path, tmp_path / "rows_given.csv", set()).kind == kind


@pytest.mark.parametrize(
    "written, kind",
    [
        ('{"answer": "yes"}\n', malformed.LOST),
        ('{"answer": "yes"}\n{"answer": "yes"}\n', malformed.ACCEPTED),
        ('{"answer": "yes"}\n' * 3, malformed.LOST),
        ('{"answer": "None"}\n{"answer": "yes"}\n', malformed.INVENTED),
    ],
)
def test_rows_that_were_lost_and_words_that_were_invented(written: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text(written)
    case = Case("predict", "p3_jsonl", BadFile("some", ".csv", Path.touch, rows=2))
    assert judged(case, Result(0, "", "", ""), tmp_path, tmp_path / "rows_given.csv", set()).kind == kind


def test_a_command_that_waits_for_ever(bench: Workbench, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "rows.jsonl")
    result = bench.run("predict", bench.archives["p3_jsonl"], tmp_path / "rows.jsonl", "--silent", "--output-file",
                       tmp_path / "out", seconds=3)  # fmt: skip
    assert result.seen == "hang"
