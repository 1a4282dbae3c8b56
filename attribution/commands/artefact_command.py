"""What the commands that write one directory have in common."""

import argparse
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Type

from allennlp.commands.subcommand import Subcommand
from allennlp.common import FromParams, Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.settings import check_settings
from allennlp.common.util import prepare_environment

from attribution.common.artefacts import check_outside, is_whole, new_artefact
from attribution.common.engines import Engine
from attribution.common.manifest import Identity, check_products, fingerprint, paths_in


class ArtefactJob(FromParams):
    """
    Base of what a configuration of such a command says. A setting `engine` and a `seed` are the command's own.

    `goes_on`: whether `run` goes on from what an interrupted run has left in the directory.
    """

    goes_on: ClassVar[bool] = False

    @abstractmethod
    def inputs(self) -> List[Path]:
        """The files that the product is made from."""

    def identity(self, configuration: Dict[str, Any]) -> Identity:
        """What the product depends on; by default the files' content and the whole configuration."""
        contents = [fingerprint(path) for path in self.inputs()]
        return {"inputs": [content["sha256"] for content in contents], "configuration": configuration}

    @abstractmethod
    def run(self, directory: Path, engine: Engine) -> str:
        """Writes the product into `directory`; returns what to tell the user."""


class ArtefactCommand(Subcommand):
    """
    Base of `allennlp COMMAND CONFIG -s DIR`. DIR appears whole or not at all, with a manifest. Where it is there
    already, made from the same things, nothing is done; where something else is, only `--force` replaces it. The same
    command goes on where an interrupted one stopped, if its work can be divided, and ends with the same bytes.
    """

    requires_plugins = True
    job: Type[ArtefactJob]
    summary: str

    def add_subparser(self, parser: Any) -> argparse.ArgumentParser:
        subparser = parser.add_parser(self.name, description=self.summary, help=self.summary)
        self.add_arguments(subparser)
        subparser.add_argument("-s", "--serialization-dir", required=True, type=str, help="the directory to write")
        subparser.add_argument(
            "-o", "--overrides", type=str, default="", help="a JSON object whose (dotted) keys override settings"
        )
        subparser.add_argument("-f", "--force", action="store_true", help="replace the directory if it is there")
        subparser.add_argument(
            "--verify", action="store_true", help="read all of what other commands wrote, to see that it is as written"
        )
        subparser.add_argument("--engine", type=str, help="where to do the work: in_process (the default) or ray")
        subparser.set_defaults(func=self._run)
        return subparser

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        """Where the configuration comes from."""
        subparser.add_argument("param_path", type=str, help="the configuration (jsonnet)")

    def params(self, args: argparse.Namespace) -> Params:
        """The configuration that the arguments ask for."""
        return Params.from_file(args.param_path, args.overrides)

    def _run(self, args: argparse.Namespace) -> None:
        path = getattr(args, "param_path", None)
        if path is not None:
            check_outside(Path(args.serialization_dir), [path])
        made_by = f"allennlp {self.name} {path or '...'}"
        self.make(self.params(args), args.serialization_dir, args.force, args.engine, args.verify, made_by)

    def job_of(self, settings: Mapping[str, Any]) -> Type[ArtefactJob]:
        """What these settings are for."""
        return self.job

    def check(self, settings: Mapping[str, Any]) -> None:
        """
        # Raises

        `ConfigurationError`, with the nearest name, if there is no such setting, however deep.
        """
        job = self.job_of(settings)
        check_settings(job, job.__init__, {key: value for key, value in settings.items() if key != "engine"})

    def make(
        self,
        params: Params,
        serialization_dir: str,
        force: bool = False,
        engine: Optional[str] = None,
        verify: bool = False,
        made_by: str = "",
    ) -> None:
        """
        Writes the directory from a configuration; says what is in it.

        # Parameters

        verify : `bool`, optional (default = `False`)
            Read all of what other commands of ours wrote, to see that it is as written. Otherwise the inputs are, of
            anything beside them sizes, headers and small files.
        made_by : `str`, optional
            The command line up to the directory: what makes it again.
        """
        work = Engine.from_params(Params({"type": engine}, "engine.") if engine else params.pop("engine", {}))
        configuration = params.duplicate().as_dict(quiet=True)
        configuration.pop("engine", None)
        _check_seeds(configuration)
        seed = configuration.get("seed", 0)
        prepare_environment(Params({"random_seed": seed, "numpy_seed": seed, "pytorch_seed": seed}))
        check_products(paths_in(configuration), verify)
        job = self.job_of(params.params).from_params(params)
        inputs = job.inputs()
        check_products(inputs, verify, wholly=inputs)
        identity = job.identity(configuration)
        if not force and is_whole(serialization_dir, identity):
            print(f"{serialization_dir}: finished already")
            return
        with new_artefact(
            serialization_dir, self.name, inputs, configuration, identity, force, job.goes_on, made_by
        ) as directory:
            summary = job.run(directory, work)
        print(f"{serialization_dir}: {summary}")


def _check_seeds(settings: Any, where: str = "") -> None:
    """Each `seed` in a configuration, however deep: generators take no others."""
    for key, value in settings.items() if isinstance(settings, dict) else ():
        if key == "seed" and (type(value) is not int or not 0 <= value < 2**32):
            raise ConfigurationError(f"{where}seed is {value!r}; a whole number from 0 to 2^32 - 1 is needed")
        _check_seeds(value, f"{where}{key}.")
