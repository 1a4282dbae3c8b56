"""
`allennlp import-artefact`: what the five published programs left, as this package keeps it.
"""

import argparse
from pathlib import Path
from typing import Any, Dict, List

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.params import parse_overrides, with_overrides

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.common.engines import Engine
from attribution.common.manifest import Identity
from attribution.importers import Importer


class Import(ArtefactJob):
    """
    What `allennlp import-artefact` was asked for.

    # Parameters

    importer : `Importer`
        The kind, with its settings.
    """

    def __init__(self, importer: Importer) -> None:
        self.importer = importer

    def inputs(self) -> List[Path]:
        return self.importer.files()

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        return self.importer.identity(super().identity(configuration))

    def run(self, directory: Path, engine: Engine) -> str:
        return self.importer.write(directory)


@Subcommand.register("import-artefact")
class ImportArtefact(ArtefactCommand):
    """
    Takes over an artefact of one of the five published programs: `allennlp import-artefact KIND PATH -s DIR`. What DIR
    then is, each `Importer` says. Nothing in a file is executed; what cannot be read so is refused.

    Registered as a `Subcommand` with name "import-artefact".
    """

    job = Import
    summary = "Take over an artefact of one of the five published programs."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        kinds = sorted(Importer.list_available())
        subparser.formatter_class = argparse.RawDescriptionHelpFormatter
        width = max(map(len, kinds))
        lines = [f"  {kind:{width}}  {Importer.by_name(kind).summary}" for kind in kinds]  # type: ignore[attr-defined]
        others = "-o '{\"importer.SETTING\": ...}' sets what has no flag"
        subparser.epilog = "\n".join(["kinds, and what they become:", *lines, "", others])
        subparser.add_argument("kind", choices=kinds, metavar="KIND", help="what it is: see below")
        subparser.add_argument("path", type=str, help="the file or folder")
        subparser.add_argument("--model-name", type=str, help="the model that it is of: a hub id or a local folder")
        subparser.add_argument("--pool", type=str, help="the rows that an index is of")
        subparser.add_argument("--allow-pickle", action="store_true", help="read a pickle: plain data alone")

    def params(self, args: argparse.Namespace) -> Params:
        """Flags are settings of the importer; of what was not said there is none."""
        given = {"model_name": args.model_name, "pool": args.pool, "allow_pickle": args.allow_pickle or None}
        settings = {key: value for key, value in given.items() if value is not None}
        importer = {"type": args.kind, "path": args.path, **settings}
        return Params(with_overrides({"importer": importer}, parse_overrides(args.overrides)))
