"""
`allennlp squeeze`: one task's way through a mixture of experts, as a model without experts.
"""

import argparse
from pathlib import Path
from typing import List, Optional

from allennlp.commands.subcommand import Subcommand
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.common.params import parse_overrides, with_overrides

from attribution.commands.artefact_command import ArtefactCommand, ArtefactJob
from attribution.commands.mixture_archive import archive_files, check_archive, load_mixture
from attribution.common.engines import Engine
from attribution.models.squeeze import WAYS, squeeze
from attribution.modules.moe import RouteSelector


class Squeeze(ArtefactJob):
    """
    What `allennlp squeeze` was asked for.

    # Parameters

    archive : `str`
        Of a `task_moe_seq2seq`: `model.tar.gz`, or the directory of a training.
    task : `str`
        Whose way through it.
    experts : `str`, optional (default = `"argmax"`)
        `argmax`, the expert with the largest weight of each layer, or `average`, all by their weights.
    unseen_tasks : `str`, optional
        A table with the task's vector, if the model has none.
    selector : `RouteSelector`, optional
        Another selector of routes than the model's: `{ type: 'task_random' }`, for a model whose routes are random for
        each example, takes a random expert of each layer.
    """

    def __init__(
        self,
        archive: str,
        task: str,
        experts: str = "argmax",
        unseen_tasks: Optional[str] = None,
        selector: Optional[RouteSelector] = None,
    ) -> None:
        check_archive(archive)
        if experts not in WAYS:
            raise ConfigurationError(f"experts {experts!r} is none of {', '.join(WAYS)}")
        self.archive = archive
        self.task = task
        self.experts = experts
        self.unseen_tasks = unseen_tasks
        self.selector = selector

    def inputs(self) -> List[Path]:
        return archive_files(self.archive, self.unseen_tasks)

    def run(self, directory: Path, engine: Engine) -> str:
        model, _ = load_mixture(self.archive, unseen_tasks=self.unseen_tasks, selector=self.selector)
        squeeze(model, self.task, directory, self.experts)
        kind = "a model" if model.experts.trains_all else "a delta"
        return f"{kind} without experts for the task {self.task!r}"


@Subcommand.register("squeeze")
class SqueezeCommand(ArtefactCommand):
    """
    Writes the model that one task makes of a mixture of experts: `allennlp squeeze ARCHIVE -s DIR --task TASK`. DIR is
    then a folder that `seq2seq` and `transformers` load or, of LoRA and adapter experts, the folder of a delta.

    Registered as a `Subcommand` with name "squeeze".
    """

    job = Squeeze
    summary = "Write one task's way through a mixture of experts as a model without experts."

    def add_arguments(self, subparser: argparse.ArgumentParser) -> None:
        subparser.add_argument("archive", type=str, help="model.tar.gz of a task_moe_seq2seq, or its directory")
        subparser.add_argument("--task", required=True, type=str, help="the task")
        subparser.add_argument("--experts", choices=WAYS, default="argmax", help="of each layer: the best, or all")
        subparser.add_argument("--unseen-tasks", type=str, help="a task table, if the model does not know the task")

    def params(self, args: argparse.Namespace) -> Params:
        settings = {"archive": args.archive, "task": args.task, "experts": args.experts}
        if args.unseen_tasks is not None:
            settings["unseen_tasks"] = args.unseen_tasks
        return Params(with_overrides(settings, parse_overrides(args.overrides)))
