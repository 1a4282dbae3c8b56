"""
Malformed input thrown at the commands: none may end in a traceback, hang, lose a row in silence, say a word that is in
no file, or leave something half-written. Prints the number of cases by command and outcome; the exit status is 1 if any
is bad.

    python -m tests.robustness.malformed [--cases 300] [--seed 0] [--show]
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from tests.robustness.bad_files import FILES, LINES, BadFile, held
from tests.robustness.bad_settings import BadSetting, bad_settings
from tests.robustness.workbench import READERS, Result, Workbench, lines, logged

REFUSED, ACCEPTED = "refused", "accepted"
TRACEBACK, HANG, STATUS = "traceback", "hang", "wrong status"
NAMELESS, LEFTOVERS, LOST = "names nothing", "leftovers", "rows lost"
INVENTED, IGNORED, UNREAD = "words invented", "setting ignored", "sound file refused"
GOOD = (REFUSED, ACCEPTED)
OUTCOMES = (*GOOD, TRACEBACK, HANG, STATUS, NAMELESS, LEFTOVERS, LOST, INVENTED, IGNORED, UNREAD)

COMMANDS = ("build-pool", "retrieve", "train", "evaluate", "predict")
CONFIG = "config.json"
FILES_OF_TEN = 7
"""Of ten cases so many are files, the rest settings."""

_INVENTED = re.compile(r"\bNone\b|\bnan\b|built-in|object at 0x")
_UNFINISHED = re.compile(r"\.(part|tmp)\b")


class Case(NamedTuple):
    """One malformed input for one command."""

    command: str
    role: str
    """What the input is to the command."""
    file: Optional[BadFile] = None
    setting: Optional[BadSetting] = None

    def __str__(self) -> str:
        what = f"{self.file.name} ({self.file.ending})" if self.file else str(self.setting)
        return f"{self.command} [{self.role}] {what}"


class Outcome(NamedTuple):
    """How a command took it."""

    kind: str
    detail: str


ROLES: Dict[str, Tuple[str, ...]] = {
    "build-pool": ("rows", "rows, skip", "templates", "datasets", "datasets, skip"),
    "retrieve": ("pool", "queries", "queries, skip", "templated queries", "templated queries, skip"),
    "train": tuple(READERS),
    "evaluate": tuple(READERS),
    "predict": (*READERS, "lines"),
}


def cases(count: int, seed: int, bench: Workbench) -> List[Case]:
    """So many, the same number for each command; the same for the same seed."""
    chosen: List[List[Case]] = []
    for place, command in enumerate(COMMANDS):
        draw = random.Random(f"{seed} {command}")
        wanted = (count * (place + 1)) // len(COMMANDS) - (count * place) // len(COMMANDS)
        files = [Case(command, role, file=file) for file in FILES for role in ROLES[command]]
        base = command if command in ("evaluate", "predict") else configuration(command, ROLES[command][0], bench)
        settings = [Case(command, "settings", setting=setting) for setting in bad_settings(base)]
        for all_of_them in (files, settings):
            draw.shuffle(all_of_them)
        of_files = max(wanted * FILES_OF_TEN // 10, wanted - len(settings))
        both = files[:of_files] + settings[: wanted - of_files]
        draw.shuffle(both)
        chosen.append(both)
    return [case for of_each in zip_longest(*chosen) for case in of_each if case is not None]


def configuration(command: str, role: str, bench: Workbench, path: str = "") -> Dict[str, Any]:
    """Of the three commands that take one: with the file in the role."""
    path = path or bench.rows
    skip = {"on_bad_row": "skip"} if role.endswith(", skip") else {}
    role = role.removesuffix(", skip")
    if command == "train":
        return {**bench.training(role if role in READERS else "p3_jsonl"), "train_data_path": path}
    if command == "retrieve":
        reader = bench.reader("prompted_reader" if role == "templated queries" else "p3_jsonl")
        queries = {"path": bench.rows if role == "pool" else path, "reader": reader, **skip}
        pool = {"path": path if role == "pool" else bench.rows}
        return {"pool": pool, "queries": queries, "retriever": {"type": "bm25"}, "neighbours": 3}
    source: Dict[str, Any] = {"type": "datasets" if role == "datasets" else "rows", "path": path}
    if role == "templates":
        place = "label|int" if Path(path).name.split(".")[1:2] in (["csv"], ["tsv"]) else "label"
        prompt = "{{text}} ? ||| {{['no', 'yes'][PLACE]}}".replace("PLACE", place)
        source = {"type": "templates", "rows": source, "templates": {"one": prompt}}
    return {"sources": [source], "seed": 1, **skip}


def tried(case: Case, bench: Workbench, number: int) -> Outcome:
    """What becomes of one case."""
    with bench.place(number) as folder:
        path = Path(bench.rows)
        if case.file is not None:
            path = folder / f"rows_given{case.file.ending}"
            case.file.write(path)
        before = set(folder.rglob("*"))
        result = _run(case, bench, folder, str(path))
        return judged(case, result, folder, path, before | set(folder.glob("given*")))


def _run(case: Case, bench: Workbench, folder: Path, path: str) -> Result:
    out = folder / "out"
    if case.command in ("evaluate", "predict"):
        archive = bench.archives[case.role if case.role in READERS else "p3_jsonl"]
        extra: List[Any] = [] if case.setting is None else case.setting.arguments(folder)
        if case.setting is not None and case.setting.archive is not None:
            archive = str(case.setting.archive(folder, Path(archive)))
        if case.command == "evaluate":
            written = ["--predictions-output-file", out]
        else:
            written = ["--output-file", out, "--silent", *(["--use-dataset-reader"] if case.role in READERS else [])]
        return bench.run(case.command, archive, path, *written, *extra)
    settings = configuration(case.command, case.role, bench, path)
    text = json.dumps(settings if case.setting is None else case.setting.applied(settings))
    config = folder / CONFIG
    config.write_text(text)
    return bench.run(case.command, config, "-s", out)


def judged(case: Case, result: Result, folder: Path, path: Path, before: Set[Path]) -> Outcome:
    """
    # Parameters

    folder : `Path`
        Where the command has written.
    path : `Path`
        The file that it was given.
    before : `Set[Path]`
        What was in the folder.
    """
    if result.seen:
        return Outcome(result.seen, result.stderr[-1500:])
    if result.status not in (0, 1):
        return Outcome(STATUS, f"{result.status}: {result.message}")
    after = set(folder.rglob("*")) - before - {folder / CONFIG}
    left = sorted(str(path.relative_to(folder)) for path in after if result.status or _UNFINISHED.search(path.name))
    if left:
        return Outcome(LEFTOVERS, f"{left}: {result.message}")
    return _judged_setting(case.setting, result) if case.setting else _judged_file(case, result, folder / "out", path)


def _judged_setting(setting: BadSetting, result: Result) -> Outcome:
    if not result.status:
        return Outcome(IGNORED if setting.must_stop else ACCEPTED, "")
    return Outcome(REFUSED if any(name in result.message for name in setting.names) else NAMELESS, result.message)


def _judged_file(case: Case, result: Result, out: Path, path: Path) -> Outcome:
    assert case.file is not None
    if result.status:
        read = (
            case.role != "lines" or case.file.ending == ".jsonl"
        )  # Without a reader `predict` takes JSON lines alone.
        if case.file.sound and read:
            return Outcome(UNREAD, result.message)
        return Outcome(REFUSED if "rows_given" in result.message else NAMELESS, result.message)
    given, (used, counted) = held(case.file, path), _accounted(case, result, out, path)
    account = f"{given} given, {used} used, {counted} counted"
    # What lies behind damage in a file that is not read by line cannot be counted: that there is damage can.
    read_on = case.file.rows == LINES or not counted
    if given is not None and (used > given or (used + counted < given and read_on)):
        return Outcome(LOST, account)
    for product in [out] if out.is_file() else sorted(out.glob("*.jsonl")):
        invented = _INVENTED.search(product.read_text(encoding="utf-8"))
        if invented:
            return Outcome(INVENTED, f"{product.name} says {invented[0]!r}")
    return Outcome(ACCEPTED, account)


def _accounted(case: Case, result: Result, out: Path, path: Path) -> Tuple[int, int]:
    """How many rows a command used, and how many it counted as not used."""
    if case.command == "build-pool":
        [source] = json.loads((out / "tasks.json").read_text())["sources"]
        return len(lines(out / "pool.jsonl")), sum(source["rows_dropped"].values())
    if case.command == "retrieve" and case.role == "pool":
        tasks = json.loads((out / "composition.json").read_text())["tasks"]
        rows, share = next((task["pool_rows"], task["pool_share"]) for task in tasks.values())
        return round(rows / share), 0
    if case.command == "train":
        text = (out / "out.log").read_text(encoding="utf-8")
        return logged(text, path, "rows read"), logged(text, path, "rows skipped: ")
    used = len(lines(out / "search_log.jsonl" if case.command == "retrieve" else out))
    return used, logged(result.stderr, path, "rows skipped: ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=300, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="which of all that there are")
    parser.add_argument("--show", action="store_true", help="every case with its outcome, not the bad ones only")
    arguments = parser.parse_args()
    counts: "Counter[Tuple[str, str]]" = Counter()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(Path(folder))
        for number, case in enumerate(cases(arguments.cases, arguments.seed, bench)):
            outcome = tried(case, bench, number)
            counts[case.command, outcome.kind] += 1
            if arguments.show or outcome.kind not in GOOD:
                print(f"{outcome.kind}: {case}: {outcome.detail.strip()}", flush=True)
    print(f"\n| command | {' | '.join(OUTCOMES)} | all |\n|{'---|' * (len(OUTCOMES) + 2)}")
    for command in COMMANDS:
        row = [counts[command, outcome] for outcome in OUTCOMES]
        print(f"| {command} | {' | '.join(map(str, row))} | {sum(row)} |")
    bad = sum(count for (_, outcome), count in counts.items() if outcome not in GOOD)
    print(f"\n{counts.total()} cases, {bad} bad, {time.monotonic() - begun:.0f} s")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
