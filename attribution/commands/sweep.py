"""
`allennlp sweep`: a grid of runs, each a chain of steps, and what came out of them.
"""

import argparse
import logging
from pathlib import Path
from typing import Any, Dict, List, Sequence

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.tqdm import Tqdm

from attribution.common.artefacts import alone
from attribution.common.engines import Engine
from attribution.common.manifest import write_json
from attribution.sweeps import (
    RESULTS,
    Failures,
    Results,
    Run,
    Sweep,
    Worker,
    as_text,
    check_finished,
    check_runs,
    levels,
    outdated,
    without_dependents,
)

logger = logging.getLogger(__name__)

SWEEP = "sweep.json"


@Subcommand.register("sweep")
class SweepCommand(Subcommand):
    """
    Makes each run of a grid in a directory of its own, DIR/STEP/AXIS=value,AXIS=value, and keeps DIR/runs.csv and
    DIR/results.csv up to date. The same command goes on where a killed one stopped, tries again what failed, and
    leaves alone what is finished; so does one with more values of an axis.

    Registered as a `Subcommand` with name "sweep".
    """

    requires_plugins = True
    summary = "Train and evaluate at each point of a grid."

    def add_subparser(self, parser: Any) -> argparse.ArgumentParser:
        subparser = parser.add_parser(self.name, description=self.summary, help=self.summary)
        subparser.add_argument("param_path", type=str, help="the configuration (jsonnet)")
        subparser.add_argument("-s", "--serialization-dir", required=True, type=str, help="the directory to write in")
        subparser.add_argument(
            "-o", "--overrides", type=str, default="", help="a JSON object whose (dotted) keys override settings"
        )
        subparser.add_argument(
            "-f", "--force", action="store_true", help="make again what was made from something else"
        )
        subparser.add_argument("--engine", type=str, help="where to do the work: in_process (the default) or ray")
        subparser.set_defaults(func=_run)
        return subparser


def _run(args: argparse.Namespace) -> None:
    params = Params.from_file(args.param_path, args.overrides)
    engine = Engine.from_params(Params({"type": args.engine}) if args.engine else params.pop("engine", {}))
    settings = params.as_dict(quiet=True)
    sweep = Sweep.from_params(params.duplicate())
    directory = Path(args.serialization_dir).resolve()
    if directory.is_file() or (directory.is_dir() and not _holds_a_sweep(directory)):
        raise ConfigurationError(f"{directory}: is there already and holds no sweep; name another directory")
    points = sweep.plan(directory)
    runs = list({run.directory: run for planned in points for run in planned.runs.values()}.values())
    never = [sweep.never(name) for name in sweep.steps if name not in {run.step for run in runs}]
    if not runs:
        raise ConfigurationError("\n".join(["there is nothing to make in this grid:", *never]))
    check_runs(runs, directory)
    directory.mkdir(parents=True, exist_ok=True)
    with alone(directory, directory):
        if not args.force:
            check_finished(runs)
        write_json(directory / SWEEP, _resolved(sweep, settings))
        for run in reversed(outdated(runs)):
            run.discard()
        for run in runs:
            found = run.damage()
            if found is not None:
                logger.warning("%s: %s; it is made again", run.directory, found)
                run.discard()
        results = Results(sweep, points, directory)
        failures = _make(runs, engine, Worker(args.force, args.include_package), results)
        for reason in never:
            print(f"{directory}: not made is {reason}")
        _report(directory, runs, failures, results.complaints())


def _holds_a_sweep(directory: Path) -> bool:
    """Or nothing, or what one has left that was killed as it began."""
    names = {path.name for path in directory.iterdir()}
    return SWEEP in names or names <= {f"{SWEEP}.part"}


def _some(names: List[str]) -> str:
    """The first, and how many others there are."""
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]


def _resolved(sweep: Sweep, settings: Dict[str, Any]) -> Dict[str, Any]:
    return {
        "axes": {axis: [as_text(value) for value in values] for axis, values in sweep.axes.items()},
        "steps": settings["steps"],
        "repeat": sweep.repeat,
        "choose": sweep.choose,
        "choose_within": sweep.choose_within,
        "development": sweep.development,
        "metrics": sweep.metrics,
        "higher_is_better": sweep.higher_is_better,
    }


def _make(runs: Sequence[Run], engine: Engine, worker: Worker, results: Results) -> Failures:
    """All that is not there yet."""
    missing = [run for run in runs if not run.is_finished()]
    failures: Failures = {}
    results.write()
    with Tqdm.tqdm(total=len(runs), initial=len(runs) - len(missing), desc="sweeping", unit="step") as bar:
        for level in levels(missing):
            possible = {run.directory for run in without_dependents(missing, failures)}
            chains = [chain for whole in level if (chain := [run for run in whole if run.directory in possible])]
            for chain, failed in zip(chains, engine.map(worker, chains)):
                failures.update(failed)
                results.write()
                bar.update(len(chain))
    return failures


def _report(directory: Path, runs: Sequence[Run], failures: Failures, complaints: List[str]) -> None:
    """
    # Raises

    `ConfigurationError` if something is not as it was asked for.
    """
    finished = sum(run.is_finished() for run in runs)
    print(f"{directory}: {finished} of {len(runs)} steps finished; {RESULTS} has the means")
    logs = {run.directory: run.log for run in runs}
    alike: Dict[str, List[Path]] = {}
    for path, message in failures.items():
        alike.setdefault(message, []).append(path)
    messages = [
        f"{_some([str(path.relative_to(directory)) for path in paths])}: {message} ({logs[paths[0]]})"
        for message, paths in alike.items()
    ]
    left_out = len(runs) - finished - len(failures)
    if messages:
        messages.insert(0, f"{len(failures)} steps failed, {left_out} that need them were left out:")
    if messages or complaints:
        raise ConfigurationError("\n".join([*messages, *complaints]))
