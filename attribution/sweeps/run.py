"""What one step makes, once for all points that share it."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from attribution.common.manifest import (
    Damage,
    damage,
    files,
    first_difference,
    is_ours,
    is_sealed,
    read_json,
    read_manifest,
    write_sealed,
    written,
)

STEP = "step.json"
METRICS = "metrics.json"

_NOT_MADE_OF = {"environment", "outputs"}
_PASSING = (".th", ".log", ".part")
"""The endings of checkpoints and logs, which nobody needs when a run is finished: a user may remove them. And of what a
killed process was writing."""


class Run(NamedTuple):
    """A directory of a sweep."""

    step: str
    """The step's name."""
    directory: Path
    """Where its product is, and nowhere else: archives name paths in it."""
    made_of: Dict[str, Any]
    """What the product depends on, as plain JSON: command, configuration, and the fingerprints of what it reads."""
    environment: Dict[str, str]
    """The variables that were set while its configuration was read."""
    needs: Tuple[Path, ...]
    """The directories of the runs that it reads."""

    @property
    def log(self) -> Path:
        """What it says while it works, and after a failure; else that is in its directory."""
        return self.directory.with_name(f"{self.directory.name}.log")

    def fingerprint(self) -> str:
        """The same for what is made of the same."""
        return hashlib.sha256(json.dumps(self.made_of, sort_keys=True).encode()).hexdigest()

    def difference(self) -> str:
        """How what is there, if it is finished, was made of something else; else empty."""
        if not self.is_finished():
            return ""
        there = self._there()
        return first_difference({key: there[key] for key in there.keys() - _NOT_MADE_OF}, self.made_of)

    def is_of_something_else(self) -> bool:
        """Or what it was made of is damaged, so that nobody knows."""
        try:
            return bool(self.difference())
        except ConfigurationError:
            return True

    def damage(self) -> Optional[Damage]:
        """The first file of what is there, if it is finished, that is not as it was written."""
        return damage(self.directory, self._there()["outputs"], thorough=True) if self.is_finished() else None

    def is_finished(self) -> bool:
        """Whether it is whole."""
        return (self.directory / STEP).exists()

    def discard(self) -> None:
        """Removes what is there: whatever happens meanwhile, nobody goes on with a part of it."""
        self.finish_discarding()
        if self.directory.exists():
            os.replace(self.directory, self._aside)
            self.finish_discarding()

    def finish_discarding(self) -> None:
        """Removes what a process had discarded that was killed meanwhile."""
        shutil.rmtree(self._aside, ignore_errors=True)

    @property
    def _aside(self) -> Path:
        return self.directory.with_name(f".{self.directory.name}.old")

    def finish(self) -> None:
        """Marks it as whole."""
        if is_ours(self.directory):
            outputs = read_manifest(self.directory)["outputs"]
        else:
            lasting = (name for name in files(self.directory) if not name.endswith(_PASSING))
            outputs = written(self.directory, lasting)
        write_sealed(self.directory / STEP, {**self.made_of, "environment": self.environment, "outputs": outputs})

    def _there(self) -> Dict[str, Any]:
        again = f"remove {self.directory}, or make all such steps again with --force"
        there = read_json(self.directory / STEP, again)
        if not is_sealed(there):
            raise ConfigurationError(f"{self.directory / STEP}: not what is written there; {again}")
        return there


def check_finished(runs: Iterable[Run]) -> None:
    """
    # Raises

    `ConfigurationError`, naming the first, if some are there that were made of something else.
    """
    changed = [(run, difference) for run in runs if (difference := run.difference())]
    if changed:
        run, difference = changed[0]
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise ConfigurationError(
            f"{run.directory} was made from something else: {difference}{more}; --force makes it again, and what "
            "depends on it, or name another directory"
        )


def outdated(runs: Iterable[Run]) -> List[Run]:
    """Those that are there and were made of something else, and what depends on them; runs come after their needs."""
    found: Dict[Path, Run] = {}
    for run in runs:
        if run.is_of_something_else() or not found.keys().isdisjoint(run.needs):
            found[run.directory] = run
    return list(found.values())


def levels(runs: Iterable[Run]) -> List[List[List[Run]]]:
    """
    Runs, each after those that it needs, as levels of chains. A level needs those before alone; a chain is for one
    worker: runs of the same axes' values, each of which needs earlier ones of the chain.
    """
    found: List[List[List[Run]]] = []
    places: Dict[Path, Tuple[int, List[Run]]] = {}
    for run in runs:
        needed = [places[path] for path in run.needs if path in places]
        level = max((number for number, _ in needed), default=-1)
        last = [chain for number, chain in needed if number == level]
        if last and all(chain is last[0] for chain in last) and last[0][0].directory.name == run.directory.name:
            chain = last[0]
        else:
            level, chain = level + 1, []
            found += [[]] if level == len(found) else []
            found[level].append(chain)
        chain.append(run)
        places[run.directory] = level, chain
    return found
