"""
Malformed input thrown at the commands: none may end in a traceback, hang, lose a row in silence, say a word that is in
no file, or leave something half-written. Prints the number of cases by command and outcome; exit status 1 if any is bad.

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
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from tests.robustness.bad_files import FILES, BadFile, held
from tests.robustness.bad_settings import ARCHIVES, BadSetting, bad_settings
from tests.robustness.workbench import READERS, Result, Workbench, lines, logged

REFUSED, ACCEPTED = "refused", "accepted"
TRACEBACK, HANG, STATUS = "traceback", "hang", "wrong status"
NAMELESS, LEFTOVERS, LOST = "names nothing", "leftovers", "rows lost"
INVENTED, IGNORED, UNREAD = "words invented", "setting ignored", "sound file refused"
GOOD = (REFUSED, ACCEPTED)
OUTCOMES = (*GOOD, TRACEBACK, HANG, STATUS, NAMELESS, LEFTOVERS, LOST, INVENTED, IGNORED, UNREAD)

COMMANDS = ("build-pool", "retrieve", "train", "evaluate", "predict")
FILES_OF_TEN = 7
"""Of ten cases so many are files, the rest settings."""

_INVENTED = re.compile(r"\bNone\b|\bnan\b|built-in|object at 0x")
_BARE = re.compile(r"\.(part|tmp)\b")


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
    chosen: List[Case] = []
    for place, command in enumerate(COMMANDS):
        draw = random.Random(f"{seed} {command}")
        wanted = (count * (place + 1)) // len(COMMANDS) - (count * place) // len(COMMANDS)
        files = [Case(command, role, file=file) for file in FILES for role in ROLES[command]]
        base = command if command in ("evaluate", "predict") else configuration(command, ROLES[command][0], bench)
        settings = [Case(command, "settings", setting=setting) for setting in bad_settings(base)]
        for all_of_them in (files, settings):
            draw.shuffle(all_of_them)
        of_files = max(wanted * FILES_OF_TEN // 10, wanted - len(settings))
        chosen += files[:of_files] + settings[: wanted - of_files]
    return chosen


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
        source = {"type": "templates", "rows": source, "templates": {"one": f"{{{{text}}}} ? ||| {{{{['no','yes'][{place}]}}}}"}}
    return {"sources": [source], "seed": 1, **skip}


def tried(case: Case, bench: Workbench, number: int) -> Outcome:
    """What becomes of one case."""
    with bench.place(number) as folder:
        if case.file is not None:
            path = folder / f"bad{case.file.ending}"
            case.file.write(path)
            before = set(folder.rglob("*"))
            result = _run(case, bench, folder, str(path))
            return _judged_file(case, result, folder, path, before)
        before = set()
        result = _run(case, bench, folder, bench.rows)
        return _judged_setting(case, result, folder)


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
    config = folder / "config.json"
    config.write_text(text)
    return bench.run(case.command, config, "-s", out)


def _judged(result: Result, folder: Path, before: Any) -> Optional[Outcome]:
    """What is bad whatever the case was."""
    if result.seen:
        return Outcome(result.seen, result.stderr[-1500:])
    left = sorted(str(path.relative_to(folder)) for path in set(folder.rglob("*")) - before if path.name != "config.json")
    if result.status not in (0, 1):
        return Outcome(STATUS, f"{result.status}: {result.stderr[-300:]}")
    if result.status and left:
        return Outcome(LEFTOVERS, f"{left}: {result.message}")
    if not result.status and any(map(_BARE.search, left)):
        return Outcome(LEFTOVERS, str(left))
    return None


def _judged_file(case: Case, result: Result, folder: Path, path: Path, before: Any) -> Outcome:
    bad = _judged(result, folder, before)
    if bad is not None:
        return bad
    assert case.file is not None
    if result.status:
        if case.file.sound and not (case.role == "lines" and not case.file.ending.startswith(".jsonl")):
            return Outcome(UNREAD, result.message)
        return Outcome(REFUSED if path.name in result.message else NAMELESS, result.message)
    out = folder / "out"
    given, used = held(case.file, path), _accounted(case, result, out, path)
    if given is not None and used != given:
        return Outcome(LOST, f"{given} given, {used} used and counted")
    for product in [out] if out.is_file() else sorted(out.glob("*.jsonl")):
        invented = _INVENTED.search(product.read_text(encoding="utf-8"))
        if invented:
            return Outcome(INVENTED, f"{product.name} says {invented[0]!r}")
    return Outcome(ACCEPTED, f"{given} given, {used} used and counted")


def _judged_setting(case: Case, result: Result, folder: Path) -> Outcome:
    assert case.setting is not None
    bad = _judged(result, folder, set(folder.glob("given*")))
    if bad is not None:
        return bad
    if result.status:
        named = any(name in result.message for name in case.setting.names)
        return Outcome(REFUSED if named else NAMELESS, result.message)
    return Outcome(IGNORED if case.setting.must_stop else ACCEPTED, "")


def _accounted(case: Case, result: Result, out: Path, path: Path) -> Optional[int]:
    """The rows that a command used, and those that it counted as not used."""
    if case.command == "build-pool":
        [source] = json.loads((out / "tasks.json").read_text())["sources"]
        written = len(lines(out / "pool.jsonl"))
        return written + sum(source["rows_dropped"].values()) if written == source["rows_taken"] else None
    if case.command == "retrieve" and case.role == "pool":
        tasks = json.loads((out / "composition.json").read_text())["tasks"]
        shares = [(task["pool_rows"], task["pool_share"]) for task in tasks.values()]
        return round(shares[0][0] / shares[0][1])
    if case.command == "train":
        text = (out / "out.log").read_text(encoding="utf-8")
        return (logged(text, path, "rows read") or 0) + (logged(text, path, "rows skipped: ") or 0)
    used = len(lines(out / "search_log.jsonl" if case.command == "retrieve" else out))
    return used + (logged(result.stderr, path, "rows skipped: ") or 0)


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
