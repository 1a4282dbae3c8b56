"""What is wrong with a sweep before its first step."""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence

from allennlp.common.checks import ConfigurationError
from allennlp.common.settings import check_evaluation, check_experiment

from attribution.sweeps.run import Run
from attribution.sweeps.step import artefact_command

_SETTING = re.compile(r"path|archive|input|\w+_path")
_FILE = re.compile(r"(?!\w+://)[^*?{]+\.(jsonl|json|parquet|arrow|csv|tsv|txt|gz|zst|bz2|npy|npz|th)")


def check_runs(runs: Sequence[Run], directory: Path) -> None:
    """
    # Parameters

    directory : `Path`
        Where the sweep makes what its steps read of each other.

    # Raises

    `ConfigurationError` if a configuration, or what is overridden of one, has a setting that there is not, or names a
    file that is not there and that no step makes.
    """
    named: Dict[str, Run] = {}
    made = {run.directory: run for run in runs}
    for run in runs:
        _check_settings(run, made)
        for name in _files(run.made_of):
            named.setdefault(name, run)
    missing = [
        f"{name}: no such file ({_place(run)})"
        for name, run in named.items()
        if directory not in Path(name).absolute().parents and not Path(name).exists()
    ]
    if missing:
        raise ConfigurationError("\n".join([*missing, f"paths are relative to {Path.cwd()}, where the sweep is run"]))


def _check_settings(run: Run, made: Dict[Path, Run]) -> None:
    command, settings = run.made_of["command"], run.made_of.get("configuration", {})
    try:
        if command == "train":
            check_experiment(settings)
        elif command == "evaluate":
            training = made.get(Path(run.made_of["archive"]).parent)
            if training is not None and training.made_of["command"] == "train":
                check_evaluation(run.made_of["overrides"], training.made_of["configuration"])
        else:
            artefact_command(command).check(settings)
    except ConfigurationError as error:
        raise ConfigurationError(f"{_place(run)}: {error}") from error


def _place(run: Run) -> str:
    return f"{run.step}/{run.directory.name}"


def _files(settings: Any, setting: str = "") -> Iterator[str]:
    """What settings called so, or `..._path`, say that is a file's name: no hub id, no pattern, no address."""
    if isinstance(settings, dict):
        for key, part in settings.items():
            yield from _files(part, key)
    elif isinstance(settings, list):
        for part in settings:
            yield from _files(part, setting)
    elif isinstance(settings, str) and _SETTING.fullmatch(setting) and _FILE.fullmatch(settings):
        yield settings
