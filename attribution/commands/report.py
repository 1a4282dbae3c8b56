"""
`allennlp report`: what the other commands wrote, as one static page.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.reports import PAGE, ReportSection, Section, SweepSection, write_page

_SETTINGS = ("rows", "columns", "baseline", "title", "linkage")


class Report(ArtefactJob):
    """
    The configuration of `allennlp report`.

    # Parameters

    directories : `List[str]`
        What to report of: sweeps, similarities, retrievals, ensembles, selections, trainings, routes, switched-off
        experts, the `.npz` of a similarity matrix. `NAME=DIR` gives one a title; without, it is its path.
    rows : `str`, optional (default = the first axis that is neither repeated nor chosen)
        The axis of the sweeps that makes the rows of their tables.
    columns : `str`, optional (default = the baseline's, or else the last such axis)
        The axis that makes the columns. For the values of further axes there is a table each.
    baseline : `str`, optional
        `AXIS=value`: the column of the sweeps' tables that the others are compared with.
    title : `str`, optional (default = `"Report"`)
        The page's.
    linkage : `str`, optional (default = `"average"`)
        Of dendrograms: `average`, or `ward`, as Huang, Qiu and Church (NeurIPS 2021) draw their checkpoints.
    """

    def __init__(
        self,
        directories: List[str],
        rows: Optional[str] = None,
        columns: Optional[str] = None,
        baseline: Optional[str] = None,
        title: str = "Report",
        linkage: str = "average",
    ) -> None:
        if not directories:
            raise ConfigurationError("directories is empty; name at least one")
        if find_spec("matplotlib") is None:
            raise ConfigurationError("a report needs matplotlib: install the extra `plots`")
        if linkage not in ("average", "ward"):
            raise ConfigurationError(f"linkage is {linkage!r}; average and ward are possible")
        self.title = title
        self.paths = dict(map(_named, directories))
        if len(self.paths) < len(directories):
            raise ConfigurationError("directories: two have the same title; give them others (NAME=DIR)")
        self.sections = {
            name: ReportSection.of(path, rows, columns, baseline, linkage) for name, path in self.paths.items()
        }
        given = [name for name, value in (("rows", rows), ("columns", columns), ("baseline", baseline)) if value]
        if given and not any(isinstance(section, SweepSection) for section in self.sections.values()):
            raise ConfigurationError(f"{given[0]}: none of the directories is a sweep")

    def inputs(self) -> List[Path]:
        """The files that the sections read."""
        return list(dict.fromkeys(path for section in self.sections.values() for path in section.inputs()))

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        # Of what is in which directory the page depends, too.
        return {**super().identity(configuration), "files": [str(path) for path in self.inputs()]}

    def run(self, directory: Path, engine: Engine) -> str:
        """Writes `index.html`, and the tables and plots beside it."""
        sections = [
            Section(name, str(self.paths[name]), list(section.blocks())) for name, section in self.sections.items()
        ]
        write_page(directory, self.title, sections)
        return f"{len(sections)} sections: {PAGE}"


def _named(text: str) -> Tuple[str, Path]:
    """`NAME=DIR`, or a directory whose own name may have such a sign in it."""
    name, equals, path = text.partition("=")
    return (name, Path(path)) if equals and name and not Path(text).exists() else (text, Path(text))


@Subcommand.register("report")
class ReportCommand(ArtefactCommand):
    """
    Shows what commands wrote: `allennlp report DIR [DIR ...] -s OUT`, or `allennlp report CONFIG -s OUT`. OUT then
    holds `index.html`, which needs nothing else, and its tables (`.csv`) and plots (`.png`, `.svg`).

    Registered as a `Subcommand` with name "report".
    """

    job = Report
    summary = "Show sweeps, similarities, retrievals, ensembles, selections and trainings as one static page."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument(
            "directories", type=str, nargs="+", metavar="DIR", help="DIR or TITLE=DIR; or a configuration (.jsonnet)"
        )
        subparser.add_argument("--rows", type=str, help="the axis of a sweep that makes the rows")
        subparser.add_argument("--columns", type=str, help="the axis of a sweep that makes the columns")
        subparser.add_argument("--baseline", type=str, help="AXIS=value: what the other columns are compared with")
        subparser.add_argument("--title", type=str, help="the page's")
        subparser.add_argument("--linkage", type=str, help="of dendrograms: average (the default) or ward")

    def params(self, args: argparse.Namespace) -> Params:
        flags = {name: getattr(args, name) for name in _SETTINGS if getattr(args, name) is not None}
        configurations = [path for path in args.directories if path.endswith((".jsonnet", ".json"))]
        if not configurations:
            settings = {"directories": args.directories, **flags}
            return Params(with_overrides(settings, parse_overrides(args.overrides)))
        if len(args.directories) > 1:
            raise ConfigurationError(f"report: {configurations[0]} is a configuration; name it alone")
        if flags:
            raise ConfigurationError(f"report: --{next(iter(flags))} beside a configuration; change that with -o")
        return Params.from_file(configurations[0], args.overrides)
