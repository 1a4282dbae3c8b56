"""
Damaged, wrong and nonsensical inputs for the commands that write a directory, `evaluate` and `predict`, in forks of one
process that has loaded everything. None may end in a traceback, hang, name nothing, leave something behind that
was not there, or be in the way of the mended input. Prints the number of cases by command and outcome; the exit status
is 1 if any is bad.

    python -m tests.robustness.mutator [--cases 2000] [--seed 0] [--command embed] [--workers 2] [--show]
"""

import argparse
import gc
import json
import os
import random
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Set, Tuple

import numpy as np
import pyarrow.parquet
import torch

from attribution.common.manifest import files
from attribution.similarity import SimilarityMatrix
from tests.ensembling.conftest import LORA, lora_tensors, write_delta_folder
from tests.rerankers import conftest  # noqa: F401  registers the reranker "tests_nearness"
from tests.robustness.mutations import Mutation, mutated, write
from tests.robustness.tiny_commands import BEFORE, COMMANDS, Models, train_a_mixture
from tests.robustness.workbench import Result, Workbench

REFUSED, ACCEPTED, TRACEBACK, HANG, DIED = "refused", "accepted", "traceback", "hang", "died"
STATUS, NAMELESS, LEFTOVERS, BLOCKED, PRETENDED = "wrong status", "names nothing", "leftovers", "blocked", "pretended"
OTHER = "other bytes"
GOOD = (REFUSED, ACCEPTED)
OUTCOMES = (*GOOD, TRACEBACK, HANG, DIED, STATUS, NAMELESS, LEFTOVERS, BLOCKED, PRETENDED, OTHER)

SECONDS = 60
_FORK = 50
"""So many cases in one process: to make one takes longer than a command."""
_MEMORY = 8 << 30
OUT, LEFT, GIVEN = "out", "left", "given"
_SLOW = ("train", "mine-tuples", "routes", "disable-experts")
"""Half a second and more."""
_MAY_BE_EMPTY = ("meta.json", "non_padded_namespaces.txt")
"""Or missing: of a training's files."""
_OF_ANOTHER_SPLIT = {"disable-experts": ("_train.tsv", "_dev.tsv")}
"""By command the files of its folder of rows that it does not read, as its reader is told."""
_LONG = {("mine-tuples", "size is left out")}
"""What is asked for takes minutes: hundreds of query sets."""
_OF_ITS_TIME = ("manifest.json", "out.log")
"""What says how the rest was made."""
_PRODUCTS = ("vectors", "retrieved")
"""Directories of ours, in which all is as it was written."""
_UNFINISHED = (".part", ".tmp")
_NAMED = re.compile(r'"[^"]+" is|\w+ is .*; .* (possible|needed)|: no such file|encoder tests_number')
"""A setting, a file that is not there, or a text that only the tests' own encoder does not take."""


class Job(NamedTuple):
    """A command, and the files that it reads."""

    arguments: Tuple[str, ...]
    roles: Tuple[str, ...]
    """What is mutated, beside the configuration."""
    config: Any = None
    settings: str = ""
    """The configuration's file."""
    left: Tuple[str, str] = ("", "")
    """What lies there from an earlier run, and under which name the command finds it."""
    place: str = GIVEN
    """The folder in which all of it is."""
    keeps: bool = False
    """Whether what was finished before a failure is there afterwards."""
    rare: bool = False
    """Whether it takes so long that it is tried less often than others."""


class Case(NamedTuple):
    """One mutated file for one command."""

    command: str
    role: str
    mutation: Mutation

    def __str__(self) -> str:
        return f"{self.command} [{self.role}] {self.mutation.what}"


class Outcome(NamedTuple):
    """How the command took it."""

    kind: str
    detail: str


class Range:
    """
    The commands with good inputs, all of which work.

    # Parameters

    folder : `Path`
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bench = Workbench(folder / "bench")
        self.good = folder / "good"
        (self.good / GIVEN).mkdir(parents=True)
        os.chdir(self.good / GIVEN)
        self._inputs()
        self.jobs = {name: _written(name, job) for name, job in _jobs().items()}
        for name, out in (("embed", "vectors"), ("retrieve", "retrieved"), ("sweep", "swept")):
            self._check(name, self.bench.run(*self.jobs[name].arguments, "-s", out))
        self._interrupted()
        models = Models(folder / "models")
        for name, written in {**COMMANDS, "train": train_a_mixture}.items():
            if name not in self.jobs:
                self.jobs[name] = self._tiny(name, written, models)
        _loaded()
        self.products: Dict[str, Dict[str, bytes]] = {}
        for name, job in self.jobs.items():
            os.chdir(self.good / job.place)
            if job.left[0]:
                shutil.copytree(job.left[0], job.left[1])
            self._check(name, self.bench.run(*_with_output(job)))
            self.products[name] = _product()
            self._remove_output()
        gc.collect()
        gc.freeze()

    def _tiny(self, name: str, written: Callable[[Path, Models], List[str]], models: Models) -> Job:
        place = self.good / name
        place.mkdir()
        os.chdir(place)
        if name in BEFORE:
            self._check(name, self.bench.run(*BEFORE[name](place, models)))
        arguments = tuple(written(place, models))
        settings = next((word for word in arguments if word.endswith(".json")), "")
        config = json.loads(Path(settings).read_text()) if settings else None
        arguments = arguments[: -2 if "-s" in arguments else None]
        job = Job(arguments, (), config, settings, place=name, rare=name in _SLOW)
        with _opened() as paths:
            self._check(name, self.bench.run(*_with_output(job)))
        self._remove_output()
        read = [path for path in files(place) if path in paths and path != settings and Path(path).stat().st_size]
        return job._replace(roles=tuple(read))

    def _inputs(self) -> None:
        rows = [
            {"input": f"the cat sat number {n}", "target": ["no", "yes"][n % 2], "answer_choices": ["no", "yes"],
             "task": f"t{n % 3}", "score": n / 2}
            for n in range(24)
        ]  # fmt: skip
        for name, some in (("rows.jsonl", rows), ("queries.jsonl", rows[:4])):
            Path(name).write_text("".join(json.dumps(row) + "\n" for row in some))
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), "rows.parquet", row_group_size=8)
        shutil.copytree(self.bench.model, "t5")
        shutil.copyfile(self.bench.archives["p3_jsonl"], "model.tar.gz")
        names = ["a", "b", "c"]
        Path("pool.json").write_text(json.dumps({"sources": [{"type": "rows", "path": "rows.jsonl"}]}))
        for number, name in enumerate(names):
            write_delta_folder(Path("runs", name, "delta"), lora_tensors(number), **LORA)
        scores = np.array([[1.0, 0.3, 0.2], [0.3, 1.0, 0.1], [0.2, 0.1, 1.0]])
        SimilarityMatrix(names, names, scores, True, "model").save(Path("similarity.npz"))
        np.save("kappa.npy", scores)
        Path("names.txt").write_text("a\nb\nc\n")

    def _interrupted(self) -> None:
        """What a killed `embed` leaves, under a name that is in nobody's way."""
        scratch = Path(LEFT)
        scratch.mkdir()
        for file in Path("vectors").glob("*.npy"):
            shutil.copyfile(file, scratch / file.name)
        identity = json.loads(Path("vectors", "manifest.json").read_text())["identity"]
        (scratch / "plan.json").write_text(json.dumps(identity))

    def _check(self, name: str, result: Result) -> None:
        if result.status or result.seen:
            raise RuntimeError(f"{name} does not work on good inputs: {result.stderr[-2000:]}")

    def _remove_output(self) -> None:
        shutil.rmtree(OUT) if Path(OUT).is_dir() else Path(OUT).unlink()

    def cases(self, count: int, seed: int, command: str = "") -> Iterator[Case]:
        """So many, in turns of all commands; the same for the same seed."""
        names = [name for name in self.jobs if command in ("", name)]
        turns = [*[name for name in names if not self.jobs[name].rare] * 3, *names]
        for number in range(count):
            name = turns[number % len(turns)]
            draw = random.Random(f"{seed} {name} {number}")
            job = self.jobs[name]
            # Of the settings there is the most to get wrong.
            settings = job.settings and (not job.roles or draw.random() < 0.4)
            role = job.settings if settings else draw.choice(job.roles)
            good = (self.good / job.place / role).read_bytes()
            mutation = mutated(role, good, draw, bool(settings))
            while (name, mutation.what) in _LONG:
                mutation = mutated(role, good, draw, bool(settings))
            another = role.endswith(_OF_ANOTHER_SPLIT.get(name, ()))
            if another or Path(role).name in _MAY_BE_EMPTY:
                mutation = mutation._replace(must_stop=False)
            if Path(role).parent.name in _PRODUCTS:
                mutation = mutation._replace(must_stop=mutation.content != good and not _is_anybodys(role, mutation))
            yield Case(name, role, mutation)

    def outcomes(self, cases: Iterable[Case], workers: int = 1) -> Iterator[Tuple[Case, Outcome]]:
        """What becomes of each, in their order, whatever the number of workers."""
        numbered = enumerate(cases)
        again: List[List[Tuple[int, Case]]] = []
        working: List[_Fork] = []
        known: Dict[int, Tuple[Case, Outcome]] = {}
        said = 0
        while True:
            while len(working) < workers and (some := again.pop() if again else list(islice(numbered, _FORK))):
                working.append(_Fork(some, self._tried_in))
            if not working:
                return
            ready = select.select(working, [], [], 1.0)[0]
            for fork in working[:]:
                known.update(fork.outcomes(fork in ready))
                if fork.is_over:
                    working.remove(fork)
                    again += [fork.left] if fork.left else []
            while said in known:
                shutil.rmtree(self._folder(said), ignore_errors=True)
                yield known.pop(said)
                said += 1

    def _folder(self, number: int) -> Path:
        return self.folder / f"case_{number}"

    def _tried_in(self, number: int, case: Case) -> Outcome:
        try:
            return self._tried(case, self._folder(number))
        except BaseException as error:
            return Outcome(DIED, f"the mutator itself: {error!r}")

    def _tried(self, case: Case, folder: Path) -> Outcome:
        job = self.jobs[case.command]
        shutil.copytree(self.good / job.place, folder)
        os.chdir(folder)
        path = Path(case.role)
        good = path.read_bytes()
        write(path, case.mutation)
        left, found = job.left
        if left:
            os.replace(left, found)
        before = _there()
        result = self.bench.run(*_with_output(job), seconds=SECONDS)
        if result.seen:
            return Outcome(result.seen, result.stderr[-3000:])
        if result.status not in (0, 1):
            return Outcome(STATUS, f"{result.status}: {result.message}")
        if not result.status:
            return self._accepted(case, job, result.stderr)
        after = _there()
        new = after.keys() - before.keys()
        more = sorted(path for path in new if not job.keeps or Path(path).parts[0] != OUT or path.endswith(_UNFINISHED))
        if more:
            return Outcome(LEFTOVERS, f"{more}: {result.message[:3000]}")
        if not _names(case, job, result.message) and not _quotes(case, good, result.message):
            return Outcome(NAMELESS, result.message[:3000])
        if after == before and not left:  # Mended it is the good one, which works.
            return Outcome(REFUSED, result.message[:3000])
        if not left or not path.is_relative_to(left):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            path.write_bytes(good)
        if "move that away" in result.message:
            shutil.rmtree(found)
        force = ("-f",) if left and path.is_relative_to(left) else ()
        mended = self.bench.run(*_with_output(job), *force, seconds=SECONDS)
        if mended.status or mended.seen:
            return Outcome(BLOCKED, f"{result.message[:1500]} THEN {mended.stderr[-1500:]}")
        return Outcome(REFUSED, result.message[:3000])

    def _accepted(self, case: Case, job: Job, said: str) -> Outcome:
        unfinished = [path for path in _there() if path.endswith(_UNFINISHED)]
        if unfinished:
            return Outcome(LEFTOVERS, str(unfinished))
        there, good = _product(), self.products[case.command]
        other = [name for name in {**there, **good} if there.get(name) != good.get(name)]
        said = "\n".join(line for line in said.splitlines() if "it/s]" not in line)
        detail = f"other {other} {said}" if other else f"the same {said}"
        if job.left[0] and case.role.startswith(f"{job.left[0]}/"):
            # Other digits in numbers that are numbers nobody can see.
            return Outcome(OTHER if other and case.mutation.what != "flipped" else ACCEPTED, detail[:3000])
        made_again = not other and "made again" in said
        return Outcome(PRETENDED if case.mutation.must_stop and not made_again else ACCEPTED, detail[:3000])


def _jobs() -> Dict[str, Job]:
    reader = {"type": "p3_jsonl", "model_name": "t5"}
    encoder = {"type": "transformer", "model_name": "t5"}
    model = tuple(f"t5/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json"))
    queries = {"path": "queries.jsonl", "reader": reader}
    deltas = tuple(f"runs/b/delta/{name}" for name in ("adapter_config.json", "adapter_model.safetensors"))
    vectors = ("vectors/manifest.json", *(f"vectors/vectors_{first:010d}.npy" for first in (0, 8, 16)))
    embed = {"pool": {"path": "rows.jsonl"}, "encoder": encoder, "dtype": "float32", "shard_rows": 8}
    exact = {"type": "exact", "encoder": encoder, "vectors": "vectors"}
    retrieved = tuple(
        f"retrieved/{name}"
        for name in ("composition.npz", "retrieved.jsonl", "composition.json", "search_log.jsonl", "manifest.json")
    )
    scratch = tuple(file.replace("vectors/", f"{LEFT}/").replace("manifest", "plan") for file in vectors)
    swept = tuple(
        f"swept/{name}"
        for name in ("pool/SEED=1/step.json", "test/SEED=1/metrics.json", "test/SEED=2/step.json", "runs.csv")
    )
    sweep = {
        "axes": {"SEED": [1, 2]},
        "steps": {
            "pool": {"command": "build-pool", "config": "pool.json", "overrides": {"seed": "{SEED}"}},
            "test": {"command": "evaluate", "archive": "model.tar.gz", "input": "queries.jsonl"},
        },
        "repeat": ["SEED"],
        "metrics": ["test.accuracy"],
    }
    gym = {"reader": reader, "train_data_path": "rows.jsonl", "test_data_path": "queries.jsonl", "shots": 2}
    return {
        "build-pool": _job(
            "build-pool",
            {"sources": [{"type": "rows", "path": "rows.jsonl", "keep": ["score"]}], "seed": 1},
            "rows.jsonl",
        ),
        "parquet": _job(
            "build-pool", {"sources": [{"type": "rows", "path": "rows.parquet", "keep": ["score"]}]}, "rows.parquet"
        ),
        "embed": _job("embed", embed, "rows.jsonl", *model),
        "retrieve": _job(
            "retrieve",
            {"pool": {"path": "rows.jsonl"}, "queries": queries, "retriever": exact, "neighbours": 3},
            "rows.jsonl",
            "queries.jsonl",
            *vectors,
        ),
        "bm25": _job(
            "retrieve",
            {"pool": {"path": "rows.jsonl"}, "queries": queries, "retriever": {"type": "bm25"}, "neighbours": 3},
            "rows.jsonl",
            "queries.jsonl",
        ),
        "rerank": _job(
            "rerank", {"retrieved": "retrieved", "reranker": {"type": "tests_nearness", "size": 3}}, *retrieved
        ),
        "ensemble": _job(
            "ensemble",
            {
                "deltas": "runs/*/delta",
                "similarity": "similarity.npz",
                "weighting": {"type": "softmax", "temperature": 1.0},
            },
            "similarity.npz",
            *deltas,
        ),
        "similarity": _job(
            "similarity",
            {
                "measure": {"type": "parameter_cosine"},
                "sources": "runs/*/delta",
                "target_deltas": "runs/*/delta",
                "heat_map": False,
            },
            *deltas,
        ),
        "select": _job(
            "select",
            {
                "covariance": "similarity.npz",
                "selector": {"type": "mmi"},
                "k": 2,
                "tolerance": 0.001,
                "normalize": True,
            },
            "similarity.npz",
        ),
        "select npy": _job(
            "select",
            {"covariance": "kappa.npy", "names": "names.txt", "selector": {"type": "entropy"}, "k": 1},
            "kappa.npy",
            "names.txt",
        ),
        "build-gym": _job("build-gym", {"tasks": {"one": gym}, "seeds": [1, 2]}, "rows.jsonl", "queries.jsonl"),
        "report": _job("report", {"directories": ["retrieved"]}, *retrieved[:4])._replace(rare=True),
        "evaluate": Job(
            ("evaluate", "model.tar.gz", "queries.jsonl", "--predictions-output-file", OUT),
            ("queries.jsonl", "model.tar.gz"),
        ),
        "predict": Job(
            ("predict", "model.tar.gz", "queries.jsonl", "--output-file", OUT, "--silent", "--use-dataset-reader"),
            ("queries.jsonl", "model.tar.gz"),
        ),
        "go on": _job("embed", embed, *scratch)._replace(left=(LEFT, f".{OUT}.part")),
        "sweep": _job("sweep", sweep, "pool.json", "rows.jsonl")._replace(rare=True, keeps=True),
        "sweep again": _job("sweep", sweep, *swept)._replace(left=("swept", OUT), keeps=True),
    }


def _job(command: str, config: Any, *roles: str) -> Job:
    """Of a command that writes a directory; the configuration's file is named when it is written."""
    return Job((command,), roles, config)


def _written(name: str, job: Job) -> Job:
    """With its configuration in a file."""
    if job.config is None:
        return job
    settings = f"{name}.json"
    Path(settings).write_text(json.dumps(job.config))
    return job._replace(arguments=(*job.arguments, settings), settings=settings)


def _with_output(job: Job) -> Tuple[str, ...]:
    return job.arguments if OUT in job.arguments else (*job.arguments, "-s", OUT)


def _loaded() -> None:
    """Nothing is imported, and no command line described, from now on: both take longer than a command."""
    import allennlp.commands
    import allennlp.common.params

    sys.argv = ["allennlp", "build-pool", "config.json", "-s", OUT]
    parser, _ = allennlp.commands.parse_args("allennlp")
    allennlp.commands.parse_args = lambda prog: (parser, parser.parse_args())  # type: ignore[assignment]
    allennlp.common.params.evaluate_file = _remembering(allennlp.common.params.evaluate_file)
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def _remembering(evaluate: Callable[..., str]) -> Callable[..., str]:
    """A configuration that was read before is not evaluated again, which takes a third of a command's time."""
    known: Dict[Any, str] = {}

    def evaluated(file: Any, ext_vars: Dict[str, str], **settings: Any) -> str:
        what = Path(file).read_bytes(), tuple(sorted(ext_vars.items()))
        if what not in known:
            known[what] = evaluate(file, ext_vars=ext_vars, **settings)
        return known[what]

    return evaluated


def _limit() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Fork:
    """A process of its own in which some cases are tried, one after the other."""

    def __init__(self, cases: List[Tuple[int, Case]], tried: Callable[[int, Case], Outcome]) -> None:
        self.left = cases
        """Those without an outcome."""
        self.is_over = False
        self._end = time.monotonic() + 3 * SECONDS
        self._said = b""
        self._reading, writing = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._reading)
            os.setpgid(0, 0)
            _limit()
            for number, case in cases:
                os.write(writing, json.dumps(tried(number, case)).encode() + b"\n")
            os._exit(0)
        os.close(writing)

    def fileno(self) -> int:
        """Where it says what becomes of the cases."""
        return self._reading

    def outcomes(self, ready: bool) -> Iterator[Tuple[int, Tuple[Case, Outcome]]]:
        """What has become known; the case that ends the process, or takes too long, is the last."""
        block = os.read(self._reading, 1 << 20) if ready else b""
        *said, self._said = (self._said + block).split(b"\n")
        for line in said:
            self._end = time.monotonic() + 3 * SECONDS
            yield self._next(Outcome(*json.loads(line)))
        if ready and not block:
            _, status = os.waitpid(self._child, 0)
            if self.left:
                yield self._next(Outcome(DIED, f"wait status {status}"))
        elif time.monotonic() > self._end:
            os.killpg(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            yield self._next(Outcome(HANG, f"{3 * SECONDS} s"))
        else:
            return
        os.close(self._reading)
        self.is_over = True

    def _next(self, outcome: Outcome) -> Tuple[int, Tuple[Case, Outcome]]:
        (number, case), *self.left = self.left
        return number, (case, outcome)


def _is_anybodys(role: str, mutation: Mutation) -> bool:
    """Whether a directory is read as it is: nothing of its manifest says that it is ours."""
    if Path(role).name != "manifest.json":
        return False
    if not isinstance(mutation.content, bytes):
        return True
    if b'{\n  "command": '.startswith(mutation.content[:14]):
        return False
    try:
        content = json.loads(mutation.content)
    except (ValueError, RecursionError):
        return True
    return not isinstance(content, dict) or len({"made_by", "identity", "outputs", "sha256"} & content.keys()) < 2


@contextmanager
def _opened() -> Iterator[Set[str]]:
    """The files below this folder that are opened meanwhile."""
    paths: Set[str] = set()
    here, wanted = Path.cwd(), True

    def note(event: str, arguments: Tuple[Any, ...]) -> None:
        if wanted and event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            paths.add(os.path.relpath(arguments[0], here))

    sys.addaudithook(note)
    yield paths
    wanted = False


def _product() -> Dict[str, bytes]:
    """What a command wrote."""
    files = Path(OUT).rglob("*") if Path(OUT).is_dir() else [Path(OUT)]
    return {str(path): path.read_bytes() for path in files if path.is_file() and path.name not in _OF_ITS_TIME}


def _there() -> "Dict[str, Tuple[int, ...]]":
    """All files and folders, and what changes when one is written to."""
    states = ((path, path.lstat()) for path in Path().rglob("*"))
    return {str(path): (state.st_ino, state.st_mode, state.st_size, state.st_mtime_ns) for path, state in states}


def _names(case: Case, job: Job, message: str) -> bool:
    """Whether a message says what is wrong: a file, its folder, or a setting."""
    files = [name for role in (*job.roles, job.settings) for name in (Path(role).name, str(Path(role).parent))]
    words = [*files, *([job.left[1]] if job.left[1] else []), *(job.config or ()), *case.mutation.words]
    return any(word not in ("", ".") and word in message for word in words) or bool(_NAMED.search(message))


def _quotes(case: Case, good: bytes, message: str) -> bool:
    """Whether a message has a word that the file has now, and had not before: a path, say."""
    if not isinstance(case.mutation.content, bytes):
        return False
    before, now = (content.decode(errors="replace") for content in (good, case.mutation.content))
    words = {word.strip(".,:;'\"()") for word in message.split()}
    return any(len(word) > 5 and word in now and word not in before for word in words)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="which of all that there are")
    parser.add_argument("--command", default="", help="of one command only, as the table calls it")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time; the outcomes are the same")
    parser.add_argument("--show", action="store_true", help="every case with its outcome, not the bad ones only")
    arguments = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        there = Range(Path(folder))
        print(f"set up in {time.monotonic() - begun:.0f} s", flush=True)
        counts: "Counter[Tuple[str, str]]" = Counter()
        cases = there.cases(arguments.cases, arguments.seed, arguments.command)
        for case, outcome in there.outcomes(cases, arguments.workers):
            counts[case.command, outcome.kind] += 1
            if arguments.show or outcome.kind not in GOOD:
                print(f"{outcome.kind}: {case}: {outcome.detail.strip()}", flush=True)
        os.chdir("/")
    print(table(counts))
    bad = sum(count for (_, outcome), count in counts.items() if outcome not in GOOD)
    print(f"\n{counts.total()} cases, {bad} bad, {time.monotonic() - begun:.0f} s")
    return int(bad > 0)


def table(counts: "Counter[Tuple[str, str]]") -> str:
    """By command and outcome."""
    lines = [f"\n| command | {' | '.join(OUTCOMES)} | all |", f"|{'---|' * (len(OUTCOMES) + 2)}"]
    for command in dict.fromkeys(command for command, _ in counts):
        row = [counts[command, outcome] for outcome in OUTCOMES]
        lines.append(f"| {command} | {' | '.join(map(str, row))} | {sum(row)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
