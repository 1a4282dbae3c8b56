"""Makes runs, one after the other, in a process that is already warm."""

import gc
import json
import logging
import os
import shutil
import sys
import traceback
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Set

from allennlp.commands.evaluate import evaluate_from_archive
from allennlp.commands.subcommand import Subcommand
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common import logging as common_logging
from allennlp.common.checks import ConfigurationError
from allennlp.common.plugins import import_plugins
from allennlp.common.port import device_number, users_mistake
from allennlp.common.util import SigTermReceived, dump_metrics, import_module_and_submodules
from allennlp.models.archival import CONFIG_NAME

from attribution.common.manifest import first_difference, read_json
from attribution.sweeps.run import METRICS, Run

LOG = "out.log"

Failures = Dict[Path, str]
"""By a run's directory why it failed."""


class Worker:
    """
    Makes the runs of a chain. Nothing of one reaches the next: each is as if it were alone, but for the time to start.

    # Parameters

    force : `bool`
        Replace what was made of something else.
    include_packages : `Sequence[str]`, optional
        What `--include-package` names, for a process that has not imported it.
    """

    def __init__(self, force: bool, include_packages: Sequence[str] = ()) -> None:
        self.force = force
        self.include_packages = list(include_packages)
        self.directory = Path.cwd()
        self._process = os.getpid()

    def __call__(self, chain: List[Run]) -> Failures:
        """A run that needs one that has failed is left out."""
        if self._process != os.getpid():
            os.chdir(self.directory)
            import_plugins()
            for package in self.include_packages:
                import_module_and_submodules(package)
            self._process = os.getpid()
        failures: Failures = {}
        for run in without_dependents(chain, failures):
            message = self._make(run)
            if message is not None:
                failures[run.directory] = message
        return failures

    def _make(self, run: Run) -> Optional[str]:
        """Returns why it failed."""
        run.directory.parent.mkdir(parents=True, exist_ok=True)
        run.finish_discarding()
        make = {"train": self._train, "evaluate": self._evaluate}.get(run.made_of["command"], self._make_artefact)
        gc.freeze()  # What is there now will be needed by the next one, too.
        with recorded(run.log):
            try:
                make(run)
                run.finish()
            except SigTermReceived:
                raise
            except Exception as error:
                traceback.print_exc()
                message = users_mistake(error)
                return message.strip() if message is not None else f"{type(error).__name__}: {error}"
            finally:
                gc.collect()  # Two models are never in memory.
                gc.unfreeze()
        if run.made_of["command"] == "train":
            run.log.unlink()  # AllenNLP has written one itself.
        else:
            run.log.rename(run.directory / LOG)
        return None

    def _train(self, run: Run) -> None:
        configuration = deepcopy(run.made_of["configuration"])
        goes_on = self._goes_on(run, configuration)
        if not goes_on:
            shutil.rmtree(run.directory, ignore_errors=True)
        train_model(
            Params(configuration),
            str(run.directory),
            recover=goes_on,
            include_package=self.include_packages,
            file_friendly_logging=True,
            return_model=False,
        )

    def _goes_on(self, run: Run, configuration: Dict[str, Any]) -> bool:
        if not any(run.directory.glob("training_state_*.th")):
            return False
        there = read_json(run.directory / CONFIG_NAME, f"remove {run.directory}")
        difference = first_difference(there, configuration)
        if difference and not self.force:
            raise ConfigurationError(
                f"{run.directory} has a checkpoint of other settings: {difference}; --force starts again"
            )
        return not difference

    def _evaluate(self, run: Run) -> None:
        shutil.rmtree(run.directory, ignore_errors=True)
        run.directory.mkdir()
        with TemporaryDirectory() as folder:  # AllenNLP takes a comma in a path for the end of it.
            predictions = Path(folder) / "predictions.jsonl" if run.made_of["predictions"] else None
            metrics = evaluate_from_archive(
                run.made_of["archive"],
                json.dumps(run.made_of["input"]),
                predictions_output_file=str(predictions) if predictions else None,
                cmd_overrides=run.made_of["overrides"] or "",
                cuda_device=device_number(None),
                file_friendly_logging=True,
            )
            if predictions:
                shutil.move(predictions, run.directory / predictions.name)
        dump_metrics(str(run.directory / METRICS), metrics, log=True)

    def _make_artefact(self, run: Run) -> None:
        command: Any = Subcommand.by_name(run.made_of["command"])()
        command.make(Params(deepcopy(run.made_of["configuration"])), str(run.directory), self.force)


def without_dependents(runs: Iterable[Run], failures: Failures) -> Iterator[Run]:
    """The runs that need none of those that failed, or fail meanwhile; each comes after those that it needs."""
    stopped: Set[Path] = set()
    for run in runs:
        stopped |= failures.keys()
        if stopped.isdisjoint(run.needs):
            yield run
        else:
            stopped.add(run.directory)


@contextmanager
def recorded(path: Path) -> Iterator[None]:
    """
    Within it, what would go to the terminal goes to a file. Afterwards logging, warnings and environment variables are
    as they were before.
    """
    loggers = _loggers()
    before = [(logger, logger.level, logger.disabled, logger.handlers[:]) for logger in loggers]
    handlers = {handler for logger in loggers for handler in logger.handlers}
    streams: Dict[Any, Any] = {
        one: one.stream
        for one in handlers
        if type(one) is logging.StreamHandler and not getattr(one.stream, "closed", False)
    }
    variables, hook, friendly = dict(os.environ), sys.excepthook, common_logging.FILE_FRIENDLY_LOGGING
    terminal = sys.stderr
    with path.open("w", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log), warnings.catch_warnings():
        for handler in streams:
            handler.setStream(log)
        common_logging.FILE_FRIENDLY_LOGGING = True
        try:
            yield
        finally:
            for handler in set(logging.root.handlers) - handlers:
                handler.close()
            for logger, level, disabled, own in before:
                logger.disabled = disabled
                logger.handlers[:] = own
                if logger.level != level:
                    logger.setLevel(level)
            for handler, stream in streams.items():
                handler.setStream(stream)
            for handler in {handler for logger in _loggers() for handler in logger.handlers} - handlers:
                # Of a library that was imported meanwhile.
                if isinstance(handler, logging.StreamHandler) and handler.stream is log:
                    handler.setStream(terminal)
            os.environ.clear()
            os.environ.update(variables)
            sys.excepthook, common_logging.FILE_FRIENDLY_LOGGING = hook, friendly


def _loggers() -> List[logging.Logger]:
    everyone = [logging.root, *logging.root.manager.loggerDict.values()]
    return [logger for logger in everyone if isinstance(logger, logging.Logger)]
