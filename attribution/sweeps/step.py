"""What is made at each point of a grid, as the configuration says it."""

import re
from typing import Any, Dict, List, Mapping, Optional, Set

from allennlp.commands.subcommand import Subcommand
from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError
from allennlp.common.settings import nearest

from attribution.commands.artefact_command import ArtefactCommand
from attribution.sweeps.grid import Point, as_text

_REFERENCE = re.compile(r"(?<!\{)\{([A-Za-z_]\w*)\}(?!\})", re.ASCII)


class Step(FromParams):
    """
    A step of a sweep. In the texts of `config`, `archive`, `input`, `environment` and `overrides`, `{AXIS}` is the
    value of an axis and `{step}` the directory of another step; `{{AXIS}}` stays as it is.

    # Parameters

    command : `str`
        `train`, `evaluate`, or a command that writes one directory, as `retrieve` does.
    config : `str`, optional
        The command's configuration. All but `evaluate` need it. While it is read, each of the step's axes is an
        environment variable, and the other axes are not set. Paths are relative to the folder that the sweep is run in,
        all of them, in configurations, too.
    archive : `str`, optional
        The `model.tar.gz` for `evaluate`.
    input : `str`, optional
        The rows for `evaluate`.
    axes : `List[str]`, optional
        What the step depends on: points that agree in these share what it makes. By default all axes.
    only : `Dict[str, List[Any]]`, optional
        By an axis the values at which the step is made. Elsewhere variables and overrides whose texts refer to it are
        left out, so that the defaults of a configuration hold; a step whose `config`, `archive` or `input` refers to it
        is not made either.
    environment : `Dict[str, Any]`, optional
        More environment variables while the configuration is read. One that is left out is not set.
    overrides : `Dict[str, Any]`, optional
        As `--overrides`. A text that is nothing but `{AXIS}` becomes the value itself, a number for a number.
    predictions : `bool`, optional (default = `False`)
        Whether `evaluate` writes `predictions.jsonl`, too.
    """

    def __init__(
        self,
        command: str,
        config: Optional[str] = None,
        archive: Optional[str] = None,
        input: Optional[str] = None,
        axes: Optional[List[str]] = None,
        only: Optional[Dict[str, Any]] = None,
        environment: Optional[Dict[str, Any]] = None,
        overrides: Optional[Dict[str, Any]] = None,
        predictions: bool = False,
    ) -> None:
        self.command = command
        self.config = config
        self.archive = archive
        self.input = input
        self.axes = axes
        self.only = only_at(only or {}, "only")
        self.environment = environment or {}
        self.overrides = overrides or {}
        self.predictions = predictions
        _check_command(command)
        self._check_settings()

    def references(self) -> Set[str]:
        """The axes and steps that its texts name."""
        return references([self.config, self.archive, self.input, self.environment, self.overrides])

    def applies(self, point: Point) -> bool:
        """Whether it is made there."""
        return is_at(point, self.only)

    def _check_settings(self) -> None:
        evaluates = self.command == "evaluate"
        needed = {"config": not evaluates, "archive": evaluates, "input": evaluates}
        for setting, is_needed in needed.items():
            if (getattr(self, setting) is not None) != is_needed:
                raise ConfigurationError(f"{setting}: {self.command} {'needs one' if is_needed else 'takes none'}")
        useless = "environment" if evaluates else "predictions"
        if getattr(self, useless):
            raise ConfigurationError(f"{useless}: {self.command} does not use it")


def references(setting: Any) -> Set[str]:
    """The names in braces in a text, or in the texts of lists and objects."""
    if isinstance(setting, str):
        return set(_REFERENCE.findall(setting))
    parts = setting.values() if isinstance(setting, dict) else setting if isinstance(setting, list) else []
    return {name for part in parts for name in references(part)}


def fill(setting: Any, values: Mapping[str, Any]) -> Any:
    """The setting with values for the names in braces; texts in lists and objects that name another are left out."""
    if isinstance(setting, str):
        alone = _REFERENCE.fullmatch(setting)
        return values[alone[1]] if alone else _REFERENCE.sub(lambda match: as_text(values[match[1]]), setting)
    if isinstance(setting, dict):
        return {key: fill(part, values) for key, part in setting.items() if _is_known(part, values)}
    if isinstance(setting, list):
        return [fill(part, values) for part in setting if _is_known(part, values)]
    return setting


def _is_known(setting: Any, values: Mapping[str, Any]) -> bool:
    return not isinstance(setting, str) or references(setting) <= values.keys()


def only_at(where: Any, setting: str) -> Dict[str, List[str]]:
    """
    By an axis the texts of its values.

    # Raises

    `ConfigurationError`, naming the setting, if it is no object of lists.
    """
    if not isinstance(where, dict):
        raise ConfigurationError(f"{setting}: an object is needed, with a list of values by an axis's name")
    for axis, values in where.items():
        if not isinstance(values, list):
            raise ConfigurationError(f"{setting}.{axis}: a list of values is needed")
    return {axis: [as_text(value) for value in values] for axis, values in where.items()}


def is_at(point: Point, where: Dict[str, List[str]]) -> bool:
    """Whether the point has one of the values of each axis that is named."""
    return all(as_text(point[axis]) in values for axis, values in where.items())


def artefact_command(name: str) -> ArtefactCommand:
    """
    # Raises

    `ConfigurationError` if no such command writes one directory.
    """
    commands: Dict[str, Any] = {known: Subcommand.by_name(known) for known in Subcommand.list_available()}
    possible = [known for known, command in commands.items() if issubclass(command, ArtefactCommand)]
    if name not in possible:
        raise ConfigurationError(f"command: {name!r} is not there; {nearest(name, ['train', 'evaluate', *possible])}")
    return commands[name]()


def _check_command(name: str) -> None:
    if name not in ("train", "evaluate"):
        artefact_command(name)
